"""What agents may state: closed forms, whose schemas the agents are given."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from claude_pool_gh.findings.model import (
    Category,
    Claim,
    Finding,
    Findings,
    Judgement,
    output_schemas,
)
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding


@pytest.mark.parametrize(
    "change",
    [
        {"path": ""},
        {"start_line": 0},
        {"end_line": 0},
        {"severity": "blocker"},
        {"category": "style"},
        {"title": ""},
        {"evidence": ""},
        {"confidence": 1.1},
        {"confidence": -0.1},
        {"side": "BOTH"},
        {"fix": "x"},
    ],
)
def test_a_finding_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        finding(**change)


@pytest.mark.parametrize(
    ("field", "limit"), [("title", 200), ("body", 4000), ("scenario", 600), ("evidence", 4000)]
)
def test_a_text_over_its_limit_is_cut(field: str, limit: int) -> None:
    stated = finding().model_dump(mode="json", include=set(Claim.model_fields))
    (read,) = Findings.model_validate({"findings": [stated | {field: "x" * 5000}]}).findings
    assert getattr(read, field) == "x" * limit


def test_what_says_nothing_in_part_is_left_out_or_refused() -> None:
    stated = finding().model_dump(mode="json", include=set(Claim.model_fields))
    long = {"suggestion": "x" * 4001, "restates": "x" * 65}
    read = Claim.model_validate(stated | long)
    assert (read.suggestion, read.restates) == (None, None)
    with pytest.raises(ValidationError):
        Claim.model_validate(stated | {"path": "x" * 501})


def test_a_scenario_may_be_longer_than_a_title() -> None:
    assert len(finding(scenario="x" * 600).scenario) == 600
    assert len(Judgement(verdict="unsure", reason="x" * 600).reason) == 600


def test_a_finding_survives_its_row() -> None:
    stated = finding(suggestion="x", category="data-loss")
    assert Finding.model_validate(stated.model_dump(mode="json")) == stated


@pytest.mark.parametrize("verdict", ["confirmed", "refuted", "unsure", "still", "fixed"])
def test_a_judgement_is_one_of_five(verdict: str) -> None:
    assert Judgement.model_validate({"verdict": verdict, "reason": "x"}).verdict == verdict
    with pytest.raises(ValidationError):
        Judgement.model_validate({"verdict": verdict.upper(), "reason": "x"})


def test_how_many_findings_are_stated_is_for_the_host_to_cut_and_not_for_the_form_to_refuse() -> (
    None
):
    stated = finding().model_dump(mode="json", include=set(Claim.model_fields))
    assert len(Findings.model_validate({"findings": [stated] * 300}).findings) == 300
    assert "maxItems" not in output_schemas()["findings"]["properties"]["findings"]


@pytest.mark.parametrize("field", ["within", "nth", "mark"])
def test_what_the_host_knows_of_a_finding_is_nothing_that_an_agent_states(field: str) -> None:
    stated = finding().model_dump(mode="json", include=set(Claim.model_fields))
    with pytest.raises(ValidationError):
        Findings.model_validate({"findings": [stated | {field: "1"}]})


def test_the_schemas_say_what_the_models_hold() -> None:
    schemas = output_schemas()
    assert set(schemas) == {"findings", "judgement"}
    stated = schemas["findings"]["$defs"]["Claim"]
    assert stated["additionalProperties"] is False
    assert set(stated["required"]) == set(Claim.model_fields) - {"side", "suggestion", "restates"}
    assert stated["properties"]["scenario"]["maxLength"] == 600
    assert schemas["findings"]["$defs"]["Category"]["enum"] == [
        str(category) for category in Category
    ]
    assert schemas["findings"]["$defs"]["Severity"]["enum"] == ["low", "medium", "high", "critical"]


def test_severities_are_ranked() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3]
    assert Severity.critical.rank > Severity.high.rank > Severity.medium.rank > Severity.low.rank
