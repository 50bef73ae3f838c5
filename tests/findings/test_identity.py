"""The same defect is the same from one run to the next."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.findings.identity import fingerprint, without_repeats
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding


@pytest.mark.parametrize(
    "change",
    [
        {"start_line": 40, "end_line": 44}, {"side": "LEFT"}, {"severity": "low"}, {"title": "other"},
        {"body": "other"},
        {"scenario": "other"}, {"confidence": 0.1}, {"suggestion": "x"}, {"evidence": "return total - rebate\n"},
        {"evidence": "\t\treturn  total -\n rebate"}, {"evidence": "return total - rebate\r\n"},
    ],
)  # fmt: skip
def test_a_fingerprint_stays_when_lines_move_or_words_change(change: dict[str, Any]) -> None:
    assert fingerprint(finding(**change)) == fingerprint(finding())


@pytest.mark.parametrize(
    "change", [{"path": "shop/price.py"}, {"category": "security"}, {"evidence": "    return total + rebate"}]
)
def test_another_place_harm_or_code_is_another_defect(change: dict[str, Any]) -> None:
    assert fingerprint(finding(**change)) != fingerprint(finding())


def test_a_fingerprint_is_the_same_for_ever() -> None:
    assert fingerprint(finding()) == "50208d9a1da542119638"


def test_the_parts_of_a_fingerprint_do_not_run_into_each_other() -> None:
    one = finding(path="a", category="security", evidence="x")
    assert fingerprint(one) != fingerprint(finding(path="a\nsecurity", category="security", evidence="x"))


def test_of_repeats_the_surest_stays() -> None:
    unsure, sure = (
        finding(confidence=0.6, title="unsure"),
        finding(confidence=0.8, title="sure", start_line=9),
    )
    assert without_repeats([unsure, sure]) == without_repeats([sure, unsure]) == [sure]


def test_the_worst_comes_first_then_the_surest_then_by_place() -> None:
    wanted = [
        finding(evidence="1", severity="critical", confidence=0.1),
        finding(evidence="2", severity="high", confidence=0.9),
        finding(evidence="3", severity="high", confidence=0.8, path="a"),
        finding(evidence="4", severity="high", confidence=0.8, path="b", start_line=1),
        finding(evidence="5", severity="high", confidence=0.8, path="b", start_line=5),
        finding(evidence="6", severity="medium"),
        finding(evidence="7", severity="low"),
    ]
    assert without_repeats(wanted[::-1]) == wanted


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Severity)), st.floats(0, 1)), max_size=8)
)
def test_nothing_is_lost_but_repeats(stated: list[tuple[str, Severity, float]]) -> None:
    found = [finding(evidence=code, severity=severity, confidence=sure) for code, severity, sure in stated]
    kept = without_repeats(found)
    assert {fingerprint(one) for one in kept} == {fingerprint(one) for one in found}
    assert len(kept) == len({code for code, _, _ in stated})
    assert without_repeats(kept) == kept
