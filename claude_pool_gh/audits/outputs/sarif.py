"""SARIF 2.1.0, as GitHub's code scanning takes it: what stands now, whichever run found it.

A finding that is not in an upload becomes fixed there. So the document lists every finding that stands, also at places
that this run did not read. Rule ids are those of the closed list; results are told apart by the ids of our own
findings, which outlive edits around them. The API computes neither.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from claude_pool_gh.audits.model import AuditFinding, AuditResult, Completeness
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.rules import KINDS, RULES, Rule
from claude_pool_gh.reports.unseen import seen
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.severity import Severity

TOOL: Final = "claude-pool-gh"
SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
MOST_RESULTS: Final = 1_000
"""GitHub keeps 5,000 of a run, and not by severity."""
_MOST_PLACES: Final = 9
"""Beside the first one."""
_MESSAGE_CHARACTERS: Final = 1_000
_LEVELS: Final = {
    Severity.critical: "error",
    Severity.high: "error",
    Severity.medium: "warning",
    Severity.low: "note",
}
_SECURITY: Final = {
    Severity.critical: "9.5",
    Severity.high: "8.0",
    Severity.medium: "5.5",
    Severity.low: "2.5",
}
"""GitHub's `security-severity` of a rule, a number in a string."""
_PROBLEM: Final = {"error": "error", "warning": "warning", "note": "recommendation"}
Json = dict[str, Any]


def category(audit: str) -> str:
    """The name that tells the uploads of one audit from those of others."""
    return f"claude-pool/{audit}/"


def is_worth_uploading(result: AuditResult) -> bool:
    """True where there is anything to say: a run that read nothing changes no alert."""
    return result.completeness is not Completeness.nothing


def rules_of(result: AuditResult, kind: str) -> list[Rule]:
    """The rules that a document names: all of the audit's kind, and those of findings from before it had that kind."""
    own, found = KINDS[kind], {each.rule for each in result.standing}
    return [*own, *(rule for rule in RULES.values() if rule.id in found and rule not in own)]


def listed(result: AuditResult) -> tuple[AuditFinding, ...]:
    """The findings that a document lists, the worst first: what stands in files that are there."""
    there = [each for each in result.standing if not each.file_gone]
    there.sort(key=lambda each: -each.severity.rank)
    return tuple(there[:MOST_RESULTS])


def document(result: AuditResult, rules: Sequence[Rule]) -> str:
    """The document as JSON. `rules`: all that the audit could have reported, and those of its findings."""
    by_id = {rule.id: number for number, rule in enumerate(rules)}
    findings = listed(result)
    run: Json = {
        "tool": {
            "driver": {
                "name": TOOL,
                "semanticVersion": version(TOOL),
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"{category(result.plan.audit)}{result.chain or 'run'}"},
        "invocations": [_invocation(result, len(findings))],
        "columnKind": "utf16CodeUnits",
        "results": [_result(each, by_id) for each in findings],
        "properties": {
            "repository": result.plan.repository,
            "commit": result.plan.commit,
            "completeness": result.completeness.value,
            "filesRead": result.coverage.files_read,
            "filesNotRead": result.coverage.files_unread,
        },
    }
    whole = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(whole, indent=1, ensure_ascii=True)


def _rule(rule: Rule) -> Json:
    level = _LEVELS[rule.severity]
    properties: Json = {
        "tags": list(dict.fromkeys((rule.category.value, rule.id.partition("/")[0]))),
        "precision": "medium",
        "problem.severity": _PROBLEM[level],
    }
    if rule.is_security:
        properties["tags"] = list(dict.fromkeys(("security", *properties["tags"])))
        properties["security-severity"] = _SECURITY[rule.severity]
    return {
        "id": rule.id,
        "name": rule.name,
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.help, "markdown": rule.help},
        "defaultConfiguration": {"level": level},
        "properties": properties,
    }


def _result(each: AuditFinding, by_id: Mapping[str, int]) -> Json:
    finding = each.finding
    said = f"{finding.title}\n\n{finding.body}\n\nWhen it goes wrong: {finding.scenario}"
    result: Json = {
        "ruleId": each.rule,
        "ruleIndex": by_id[each.rule],
        "level": _LEVELS[each.severity],
        "message": {"text": plain(said, _MESSAGE_CHARACTERS)},
        "locations": [
            _location(finding.path, finding.start_line, finding.end_line, finding.evidence)
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{each.id}:1"},
        "rank": {"critical": 95.0, "high": 75.0, "medium": 50.0, "low": 25.0}[each.severity],
        "properties": {
            "id": each.id,
            "severity": each.severity.value,
            "status": each.state.value,
            "verified": each.verified,
            "readInThisRun": each.reread,
        },
    }
    others = [
        _location(other.path, other.start_line, other.end_line, other.evidence)
        | {"id": number, "message": {"text": plain(other.title, 200)}}
        for number, other in enumerate(each.also[:_MOST_PLACES], 1)
    ]
    return result | ({"relatedLocations": others} if others else {})


def _location(path: str, start: int, end: int, evidence: str) -> Json:
    last = evidence.rstrip("\r\n").rsplit("\n", 1)[-1].rstrip("\r")
    column = len(last.encode("utf-16-le")) // 2 + 1
    region = {
        "startLine": start,
        "startColumn": 1,
        "endLine": max(start, end),
        "endColumn": max(2, column),
    }
    uri = quote(path, safe="/-._~")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _invocation(result: AuditResult, number: int) -> Json:
    notes = [("error", "partial", sentence) for sentence in summary.missing(result)]
    if result.completeness is not Completeness.complete and not notes:
        notes.append(("error", "partial", summary.verdict(result).text))
    notes += [("note", "not-listed", f"{sentence}.") for sentence in summary.not_shown(result)]
    left = len([each for each in result.standing if not each.file_gone]) - number
    if left > 0:
        least = f"only the {MOST_RESULTS} most serious are listed here: {count(left, 'more finding')} open"
        notes.append(("warning", "too-many", least))
    gone = sum(each.file_gone for each in result.standing)
    if gone:
        notes.append(("note", "file-gone", f"{count(gone, 'finding')} in files that are gone"))
    return {
        # GitHub takes nothing of a document that says otherwise, not even what was found; what is missing is below.
        "executionSuccessful": is_worth_uploading(result),
        "startTimeUtc": _moment(result.started_ms),
        "endTimeUtc": _moment(result.ended_ms),
        "toolExecutionNotifications": [
            {
                "level": level,
                "descriptor": {"id": kind},
                "message": {"text": plain(text, _MESSAGE_CHARACTERS)},
            }
            for level, kind, text in notes
        ],
    }


def plain(text: str, most: int) -> str:
    """An agent's text as a message of SARIF: nothing that cannot be seen, no link, never empty."""
    shown = seen(text).strip().replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    if len(shown) > most:
        shown = f"{shown[: most - 1].rstrip(chr(92))}…"
    return shown or "no words"


def _moment(ms: int) -> str:
    whole = math.floor(ms / 1000)
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
