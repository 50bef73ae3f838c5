"""SARIF: held to the official schema, to GitHub's documented limits, and to what an upload must not do to alerts."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from claude_pool_gh.audits.model import AuditResult, AuditState, Completeness
from claude_pool_gh.audits.outputs import sarif
from claude_pool_gh.audits.rules import KINDS, RULES, Rule
from claude_pool_gh.rehearsal.github.acts import scanning
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import defect, name, partial, result, rich
from tests.findings.make import finding

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
ALL = tuple(RULES.values())


def run(of: AuditResult, rules: tuple[Rule, ...] = ALL) -> dict[str, Any]:
    """The run of a document that the schema and GitHub take."""
    whole = json.loads(sarif.document(of, rules))
    assert [error.message for error in VALIDATOR.iter_errors(whole)] == []
    assert faults(whole) == []
    found: dict[str, Any] = whole["runs"][0]
    return found


class _Limits:
    sarif_runs, sarif_results = 20, 25_000


class _Site:
    limits = _Limits


class _Repository:
    site = _Site


def faults(whole: dict[str, Any]) -> list[str]:
    """What GitHub's documentation says it does not take."""
    return list(scanning.faults(_Repository(), whole))  # type: ignore[arg-type]


def test_a_report_with_something_of_everything_is_taken() -> None:
    found = run(rich())
    assert len(found["results"]) == 8
    assert {each["properties"]["status"] for each in found["results"]} == {
        "new",
        "open",
        "reappeared",
    }
    assert found["automationDetails"]["id"] == "claude-pool/defects/c-0123456789"
    assert scanning.category(found) == sarif.category("defects")


def test_the_schema_is_one_that_refuses() -> None:
    whole = json.loads(sarif.document(rich(), ALL))
    whole["runs"][0]["results"][0]["level"] = "high"
    assert list(VALIDATOR.iter_errors(whole))


def test_nothing_found_is_an_empty_list_and_not_no_list() -> None:
    found = run(result())
    assert found["results"] == []
    assert found["invocations"][0]["executionSuccessful"] is True
    assert [rule["id"] for rule in found["tool"]["driver"]["rules"]] == list(RULES)


def test_a_partial_run_says_so_and_lists_what_it_did_not_read() -> None:
    found = run(partial(defect(1), defect(2, reread=False)))
    (invocation,) = found["invocations"]
    assert invocation["executionSuccessful"] is True, "or GitHub would take nothing of it"
    notes = [each["message"]["text"] for each in invocation["toolExecutionNotifications"]]
    assert notes[0] == "The budget was used up."
    assert "1 part of 3 failed." in notes
    assert {each["level"] for each in invocation["toolExecutionNotifications"]} == {"error"}
    assert [each["properties"]["readInThisRun"] for each in found["results"]] == [True, False]


def test_a_run_that_read_nothing_is_not_uploaded() -> None:
    nothing = result(completeness=Completeness.nothing)
    assert not sarif.is_worth_uploading(nothing)
    assert '"executionSuccessful": false' in sarif.document(nothing, ALL)
    assert sarif.is_worth_uploading(partial())
    assert sarif.is_worth_uploading(result())


def test_what_is_fixed_dismissed_or_gone_is_not_listed() -> None:
    of = result(
        defect(1, state=AuditState.fixed),
        defect(2, state=AuditState.dismissed),
        defect(3, file_gone=True),
        defect(4),
    )
    found = run(of)
    assert [each["properties"]["id"] for each in found["results"]] == [name(4)]
    notes = found["invocations"][0]["toolExecutionNotifications"]
    assert [each["message"]["text"] for each in notes] == ["1 finding in files that are gone"]


def test_results_are_told_apart_by_our_own_ids_alone() -> None:
    before = run(result(defect(1)))["results"][0]
    edited = replace(
        defect(1), finding=finding(path="shop/prices_1.py", start_line=90, end_line=90)
    )
    after = run(result(edited))["results"][0]
    assert before["partialFingerprints"] == after["partialFingerprints"]
    assert before["partialFingerprints"]["primaryLocationLineHash"] == f"{name(1)}:1"
    assert before["ruleId"] == after["ruleId"]


def test_the_severity_of_one_finding_changes_its_level_and_not_its_rule() -> None:
    found = [
        run(result(defect(1, stated={"severity": severity})))["results"][0] for severity in Severity
    ]
    assert [each["level"] for each in found] == ["note", "warning", "error", "error"]
    assert len({each["ruleId"] for each in found}) == 1


def test_the_worst_are_listed_first_and_the_rest_is_counted() -> None:
    many = [defect(number, stated={"severity": "low"}) for number in range(2, 5_002)]
    worst = defect(1, stated={"severity": "critical"})
    of = result(*many, worst)
    found = run(of)
    assert len(found["results"]) == sarif.MOST_RESULTS
    assert found["results"][0]["properties"]["severity"] == "critical"
    (note,) = found["invocations"][0]["toolExecutionNotifications"]
    expected = "only the 1000 most serious are listed here: 4001 more findings open"
    assert note["message"]["text"] == expected


def test_the_longest_texts_stay_far_below_what_github_takes() -> None:
    # neither compresses well: every text is of its own
    words = [f"{number * 2654435761 % 2**32:08x}" for number in range(1, 400)]
    of = [
        defect(
            number,
            stated={
                "body": " ".join(words[number % 300 :])[:4000],
                "evidence": " ".join(words)[:4000],
            },
            also=tuple(finding(path=f"x/{other}.py") for other in range(30)),
        )
        for number in range(1, 1_001)
    ]
    text = sarif.document(result(*of), ALL)
    assert len(gzip.compress(text.encode())) < 2_000_000
    found = json.loads(text)["runs"][0]
    assert max(len(each["relatedLocations"]) for each in found["results"]) == 9


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü#?.py", "a%20b/%C3%BC%23%3F.py"),
        ("c:/x.py", "c%3A/x.py"),
        ("%41.py", "%2541.py"),
        ("[a].py", "%5Ba%5D.py"),
    ],
)
def test_paths_are_relative_and_written_as_uris(path: str, uri: str) -> None:
    (found,) = run(result(defect(1, stated={"path": path})))["results"]
    place = found["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == uri


def test_a_region_ends_after_its_last_character_counted_in_utf_16() -> None:
    stated = {"start_line": 4, "end_line": 5, "evidence": "    a = 1\n  🦀 = 'ü'\n"}
    (found,) = run(result(defect(1, stated=stated)))["results"]
    region = found["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 4, "startColumn": 1, "endLine": 5, "endColumn": 11}


def test_an_agents_words_make_no_link_and_hide_nothing() -> None:
    stated = {
        "title": "See [here](https://evil.example)\u202e",
        "body": "\x00 [all](0)",
        "scenario": "x" * 600,
    }
    (found,) = run(result(defect(1, stated=stated)))["results"]
    text = found["message"]["text"]
    assert text.startswith("See \\[here\\](https://evil.example)\n\n")
    assert not re.search(r"(?<!\\)[\[\]]", text)
    assert "\u202e" not in text
    assert len(text) <= 1_000


def test_no_text_is_ever_empty() -> None:
    assert sarif.plain("\u200b\x00", 10) == "no words"
    cut = sarif.plain("a" * 8 + "[b]", 10)
    assert cut == "aaaaaaaa…"


def test_every_rule_of_every_audit_is_one_that_github_takes() -> None:
    for audit, rules in KINDS.items():
        found = run(result(), rules)["tool"]["driver"]["rules"]
        assert [each["id"].partition("/")[0] for each in found] == [audit] * len(rules)
        for each in found:
            assert 1 <= len(each["properties"]["tags"]) <= 10
            assert len(each["shortDescription"]["text"]) <= 1_024
            severity = each["properties"].get("security-severity")
            assert (severity is not None) == (audit == "security")
            assert severity is None or re.fullmatch(r"\d\.\d", severity)


LEVELS = {"note", "warning", "error"}
URI = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=@/-]|%[0-9A-F]{2})+")
"""A relative reference whose first part cannot be taken for a scheme."""


@pytest.mark.parametrize("audit", KINDS)
def test_every_property_that_github_reads_has_a_value_that_it_knows(audit: str) -> None:
    """By "SARIF support for code scanning": the tables of properties, and of limits."""
    odd = "Dockerfile (nginx:1.23 lines:1-1 (sha256:2bc)) ü🦀.py"
    one = defect(9, rule=f"{KINDS[audit][0].id}", stated={"path": odd, "evidence": "x"})
    found = run(replace(rich(), findings=(*rich().findings, one)))
    for rule in found["tool"]["driver"]["rules"]:
        known = rule["properties"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert known["precision"] in {"very-high", "high", "medium", "low"}
        assert known["problem.severity"] in {"error", "warning", "recommendation"}
        assert 0 < len(rule["name"]) <= 255
        assert all(known["tags"])
    for each in found["results"]:
        assert each["level"] in LEVELS
        places = (*each["locations"], *each.get("relatedLocations", ()))
        assert len(places) <= 10
        for place in places:
            where = place["physicalLocation"]
            assert URI.fullmatch(where["artifactLocation"]["uri"])
            region = where["region"]
            assert region["endLine"] >= region["startLine"]
            assert region["endColumn"] > region["startColumn"], "it ends after its last character"
