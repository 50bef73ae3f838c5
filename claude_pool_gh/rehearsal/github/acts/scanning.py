"""Uploads to code scanning, and what becomes of alerts, by GitHub's documentation of SARIF support."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from claude_pool_gh.rehearsal.github.errors import RefusedError, missing
from claude_pool_gh.rehearsal.github.state.repository import Repository
from claude_pool_gh.rehearsal.github.state.scanning import Alert, Analysis, Location, Upload

Json = Mapping[str, Any]
OFF = "Advanced Security must be enabled for this repository to use code scanning."
_REF = re.compile(r"refs/(heads/.+|pull/\d+/(merge|head)|tags/.+)")


def check_on(repository: Repository) -> None:
    """Refuse where code scanning is switched off."""
    if not repository.scanning.on:
        raise RefusedError(403, OFF)


def upload(repository: Repository, body: Json) -> Upload:
    """Take an upload; it is processed later."""
    check_on(repository)
    limits, site = repository.site.limits, repository.site
    sha, ref = str(body.get("commit_sha")), str(body.get("ref"))
    if repository.git.resolve(sha) is None:
        raise RefusedError(404, "commit not found")
    if not _REF.fullmatch(ref):
        raise RefusedError(422, f"ref '{ref}' is not a full ref")
    try:
        packed = base64.b64decode(str(body.get("sarif")), validate=True)
        text = gzip.decompress(packed)
        document = json.loads(text)
    except (binascii.Error, OSError, EOFError, ValueError):
        raise RefusedError(400, "sarif is not gzip and base64 of JSON") from None
    if len(packed) > limits.sarif_bytes:
        raise RefusedError(413, "SARIF upload is too large")
    made = Upload(str(uuid.uuid4()), sha, ref, document, due_at=site.now() + limits.sarif_seconds)
    repository.scanning.uploads.append(made)
    site.changed()
    return made


def settle(repository: Repository) -> None:
    """Process the uploads whose time has come."""
    for one in repository.scanning.uploads:
        if one.status == "pending" and one.due_at <= repository.site.now():
            one.errors = list(faults(repository, one.document))
            one.status = "failed" if one.errors else "complete"
            if not one.errors:
                _store(repository, one)


def find(repository: Repository, sarif_id: str) -> Upload:
    """An upload by its id."""
    settle(repository)
    found = next((one for one in repository.scanning.uploads if one.id == sarif_id), None)
    if found is None:
        raise missing()
    return found


def faults(repository: Repository, document: Json) -> Iterator[str]:
    """The faults for which GitHub does not take a document, in its documentation's order."""
    limits = repository.site.limits
    if document.get("version") != "2.1.0" or not document.get("$schema"):
        yield "version and $schema are required"
    runs = document.get("runs")
    if not isinstance(runs, list) or len(runs) > limits.sarif_runs:
        yield f"at most {limits.sarif_runs} runs are supported"
        return
    if len({category(run) for run in runs}) != len(runs):
        yield "multiple SARIF runs with the same category"
    for run in runs:
        # Nothing is taken of a run that failed, so that it closes no alert.
        if any(each.get("executionSuccessful") is False for each in run.get("invocations", ())):
            yield "unsuccessful execution"
        else:
            yield from _run_faults(run, limits.sarif_results)


def _run_faults(run: Json, most: int) -> Iterator[str]:
    driver = run.get("tool", {}).get("driver", {})
    if not driver.get("name"):
        yield "tool.driver.name is required"
    rules, results = driver.get("rules"), run.get("results")
    if not isinstance(rules, list) or not isinstance(results, list):
        yield "rules and results are required"
        return
    if len(results) > most or len(rules) > most:
        yield f"at most {most} results and rules are supported"
    known = set()
    for rule in rules:
        known.add(rule.get("id"))
        for name in ("shortDescription", "fullDescription", "help"):
            if not rule.get(name, {}).get("text"):
                yield f"rule {rule.get('id')}: {name}.text is required and must not be empty"
        if len(rule.get("properties", {}).get("tags", ())) > 20:
            yield f"rule {rule.get('id')}: at most 20 tags"
    for number, result in enumerate(results):
        if result.get("ruleId") not in known:
            yield f"result {number}: no rule {result.get('ruleId')}"
        yield from (f"result {number}: {fault}" for fault in _result_faults(result))


def _result_faults(result: Json) -> Iterator[str]:
    if not result.get("message", {}).get("text"):
        yield "message.text is required and must not be empty"
    if not result.get("partialFingerprints", {}).get("primaryLocationLineHash"):
        yield "partialFingerprints.primaryLocationLineHash is missing"
    places = result.get("locations") or ()
    if not places:
        yield "locations must not be empty"
        return
    physical = places[0].get("physicalLocation", {})
    uri = str(physical.get("artifactLocation", {}).get("uri", ""))
    if not uri or urlsplit(uri).scheme or uri.startswith("/") or "\\" in uri:
        yield f"the uri {uri!r} is not relative to the repository"
    region = physical.get("region", {})
    for name in ("startLine", "startColumn", "endLine", "endColumn"):
        if not isinstance(region.get(name), int) or region[name] < 1:
            yield f"region.{name} is required"


def category(run: Json) -> str:
    """The name that tells one tool's uploads apart: the id up to its last slash."""
    whole = str(run.get("automationDetails", {}).get("id", ""))
    return whole.rpartition("/")[0] + "/" if "/" in whole else whole


def _store(repository: Repository, one: Upload) -> None:
    scanning, site = repository.scanning, repository.site
    for run in one.document["runs"]:  # type: ignore[attr-defined]
        driver, results = run["tool"]["driver"], run["results"]
        made = Analysis(
            id=site.ids.next(),
            sarif_id=one.id,
            ref=one.ref,
            commit_sha=one.commit_sha,
            category=category(run),
            tool=driver["name"],
            results=len(results),
            rules=len(driver["rules"]),
            created_at=one.due_at,
        )
        scanning.analyses.append(made)
        _renew_alerts(repository, made, {rule["id"]: rule for rule in driver["rules"]}, results)


def _renew_alerts(
    repository: Repository, made: Analysis, rules: Mapping[str, Json], results: list[Any]
) -> None:
    """Open what is new or back, and call fixed what this analysis does not list; dismissed stays dismissed."""
    alerts, site = repository.scanning.alerts, repository.site
    same = (made.tool, made.category, made.ref)
    own = {one.key: one for one in alerts if (one.tool, one.category, one.ref) == same}
    listed = set()
    for result in results:
        fresh = _alert(made, rules[result["ruleId"]], result, len(alerts) + 1, site.now())
        listed.add(fresh.key)
        known = own.get(fresh.key)
        if known is None:
            alerts.append(fresh)
            own[fresh.key] = fresh
        elif known.state == "fixed":
            known.state, known.fixed_at = "open", None
        if known is not None:
            known.location, known.commit_sha = fresh.location, made.commit_sha
    for key, one in own.items():
        if key not in listed and one.state == "open":
            one.state, one.fixed_at = "fixed", site.now()


def _alert(made: Analysis, rule: Json, result: Json, number: int, now: float) -> Alert:
    physical = result["locations"][0]["physicalLocation"]
    region = physical["region"]
    return Alert(
        number=number,
        tool=made.tool,
        category=made.category,
        ref=made.ref,
        rule_id=result["ruleId"],
        fingerprint=result["partialFingerprints"]["primaryLocationLineHash"],
        location=Location(
            unquote(physical["artifactLocation"]["uri"]),
            region["startLine"],
            region["endLine"],
            region["startColumn"],
            region["endColumn"],
        ),
        severity=str(result.get("level", "warning")),
        security_severity=str(rule.get("properties", {}).get("security-severity", "")),
        description=rule["shortDescription"]["text"],
        message=result["message"]["text"],
        commit_sha=made.commit_sha,
        created_at=now,
    )
