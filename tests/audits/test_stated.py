"""What an agent of an audit states: a claim with a fault costs itself, and the worst of very many are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from claude_pool_gh.audits.rules import KINDS, RULES
from claude_pool_gh.audits.stated import (
    MOST_OF_ONE,
    ReadClaims,
    StatedGroup,
    StatedJudgement,
    claims_of,
    is_typed,
    schema_of,
    schemas,
)

RULE = KINDS["defects"][0].id


def stated(**fields: Any) -> dict[str, Any]:
    """A claim that is valid as it is."""
    claim = {
        "rule": RULE,
        "path": "shop/prices.py",
        "start_line": 2,
        "end_line": 2,
        "severity": "high",
        "title": "The rebate is taken twice",
        "body": "`total` has it already.",
        "scenario": "two items -> 8 instead of 9",
        "evidence": "    return total - rebate",
        "confidence": 0.9,
    }
    return claim | fields


def read(*claims: Any, kind: str = "defects") -> ReadClaims:
    return claims_of({"structured": {"findings": list(claims)}}, kind)


def titles(found: ReadClaims) -> list[str]:
    return [each.finding.title for each in found.claims]


# ---- one claim


@pytest.mark.parametrize("kind", KINDS)
def test_a_claim_of_each_rule_of_its_kind_is_read_with_the_rules_category(kind: str) -> None:
    for rule in KINDS[kind]:
        (one,) = read(stated(rule=rule.id), kind=kind).claims
        assert one.rule == rule.id
        assert one.finding.category is RULES[rule.id].category


def test_all_that_was_stated_is_in_the_finding() -> None:
    said = stated(start_line=5, end_line=9, suggestion="    return total", severity="low")
    (one,) = read(said).claims
    told = one.finding.model_dump(mode="json")
    assert {name: told[name] for name in said if name != "rule"} == {
        name: value for name, value in said.items() if name != "rule"
    }


@pytest.mark.parametrize(
    "fault",
    [
        {"rule": "defects/no-such"},
        {"rule": "security/injection"},
        {"rule": None},
        {"path": ""},
        {"path": "x" * 501},
        {"start_line": 0},
        {"end_line": -1},
        {"start_line": "two"},
        {"severity": "worst"},
        {"title": ""},
        {"title": 5},
        {"confidence": 1.01},
        {"confidence": -0.01},
        {"confidence": float("nan")},
        {"evidence": None},
        {"category": "correctness"},
        {"restates": "x"},
    ],
)
def test_a_claim_with_a_fault_costs_itself_and_no_other(fault: dict[str, Any]) -> None:
    found = read(stated(title="before"), stated(**fault), stated(title="after"))
    assert titles(found) == ["before", "after"]
    assert (found.stated, found.malformed, found.beyond) == (3, 1, 0)


@pytest.mark.parametrize("name", [each for each in stated() if each != "suggestion"])
def test_a_claim_that_leaves_something_out_is_malformed(name: str) -> None:
    claim = stated()
    del claim[name]
    assert read(claim).malformed == 1


@pytest.mark.parametrize("claim", [None, 5, "text", [], {}, [stated()]])
def test_what_is_no_claim_at_all_is_malformed(claim: Any) -> None:
    assert (read(claim).claims, read(claim).malformed) == ((), 1)


# ---- many


def test_the_worst_come_first_and_of_equals_the_surest() -> None:
    found = read(
        stated(title="low", severity="low", confidence=1),
        stated(title="doubtful", severity="high", confidence=0.2),
        stated(title="sure", severity="high", confidence=0.8),
        stated(title="worst", severity="critical", confidence=0.1),
    )
    assert titles(found) == ["worst", "sure", "doubtful", "low"]


def test_those_over_the_number_of_one_part_are_the_mildest_and_counted() -> None:
    mild = [stated(title=f"mild {number}", severity="low") for number in range(MOST_OF_ONE)]
    found = read(*mild, stated(severity="high"), {"no": "claim"})
    assert len(found.claims) == MOST_OF_ONE
    assert titles(found)[0] == "The rebate is taken twice"
    assert (found.stated, found.malformed, found.beyond) == (MOST_OF_ONE + 2, 1, 1)
    exactly = read(*mild)
    assert (len(exactly.claims), exactly.beyond) == (MOST_OF_ONE, 0)


def test_of_an_answer_without_end_only_its_beginning_is_read_and_the_rest_is_counted() -> None:
    worst = stated(title="too late", severity="critical")
    found = read(*([{}] * 999), stated(title="the last"), worst)
    assert titles(found) == ["the last"]
    assert (found.stated, found.malformed, found.beyond) == (1_001, 999, 1)


@given(st.lists(st.sampled_from([stated(), stated(severity="low"), {}, None]), max_size=40))
def test_every_claim_is_counted_once(claims: list[Any]) -> None:
    found = read(*claims)
    assert found.stated == len(claims) == len(found.claims) + found.malformed + found.beyond


# ---- answers


@pytest.mark.parametrize(
    ("task", "typed"),
    [
        ({}, False),
        ({"structured": None}, False),
        ({"structured": []}, False),
        ({"structured": "findings"}, False),
        ({"structured": {}}, False),
        ({"structured": {"findings": None}}, False),
        ({"structured": {"findings": {}}}, False),
        ({"structured": {"findings": []}}, True),
        ({"structured": {"findings": [5], "more": 1}}, True),
    ],
)
def test_an_answer_has_the_form_asked_for_or_says_nothing(
    task: Mapping[str, Any], *, typed: bool
) -> None:
    assert is_typed(task) == typed
    if not typed:
        assert claims_of(task, "defects") == ReadClaims()


def test_there_is_a_form_for_each_kind_and_for_second_readers() -> None:
    names = {f"audit-{kind}" for kind in KINDS} | {"audit-merge", "audit-judgement"}
    assert set(schemas()) == names
    first, *others = [schema_of(kind) for kind in KINDS]
    rules = [each["$defs"]["StatedClaim"]["properties"]["rule"]["enum"] for each in others]
    own = first["$defs"]["StatedClaim"]["properties"]["rule"]["enum"]
    assert all(set(own).isdisjoint(each) for each in rules), "one form is not another's object"


def test_a_judgement_has_a_place_only_where_the_fault_still_stands_somewhere() -> None:
    usual = {"verdict": "still", "severity": "low", "suggestion": "none", "reason": "r"}
    place = {"path": "a.py", "start_line": 1, "end_line": 2, "evidence": "x"}
    judged = StatedJudgement.model_validate(usual | {"place": place})
    assert judged.place is not None
    assert judged.place.path == "a.py"
    faults: list[dict[str, Any]] = [
        {"verdict": "maybe"},
        {"reason": ""},
        {"place": {}},
        {"more": 1},
    ]
    for fault in faults:
        with pytest.raises(ValidationError):
            StatedJudgement.model_validate(usual | fault)


def test_a_group_is_of_two_at_least() -> None:
    assert StatedGroup(ids=("a", "b"), reason="r").ids == ("a", "b")
    with pytest.raises(ValidationError):
        StatedGroup(ids=("a",), reason="r")
