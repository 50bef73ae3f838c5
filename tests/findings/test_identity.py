"""The same defect is the same from one run to the next."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.findings.identity import fingerprint, match, same_defect, without_repeats
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


QUOTE = "    total = sum(item.price for item in basket)\n    return total - rebate"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"start_line": 90, "end_line": 91, "title": "Other words"}, True),
        ({"evidence": QUOTE.replace("rebate", "discount")}, True),
        ({"evidence": QUOTE.replace("    ", "\t")}, True),
        ({"evidence": "raise NotImplementedError"}, False),
        ({"evidence": QUOTE.replace("rebate", "discount"), "category": "security"}, False),
        ({"evidence": QUOTE.replace("rebate", "discount"), "path": "shop/other.py"}, False),
    ],
)
def test_a_defect_whose_code_was_touched_is_the_same_one(change: dict[str, Any], same: bool) -> None:
    before, now = finding(evidence=QUOTE), finding(**({"evidence": QUOTE} | change))
    assert same_defect(before, now) == same_defect(now, before) == same


def test_what_a_run_states_is_either_new_or_one_of_the_earlier_ones_once() -> None:
    old, alike, other = (
        finding(evidence=text) for text in (QUOTE, QUOTE.replace("rebate", "discount"), "other")
    )
    assert match([], [old, other]) == ([old, other], [])
    assert match([old, other], [other]) == ([], [other])
    assert match([old], [alike]) == ([], [old])
    assert match([old], [old, alike]) == ([alike], [old])  # an earlier one is stated again by one only
    assert match([old, alike], [alike, old]) == (
        [],
        [alike, old],
    )  # and of two that are alike each keeps its own


def test_names_of_findings_do_not_depend_on_the_order_in_which_they_are_stated() -> None:
    earlier = [finding(evidence=QUOTE), finding(evidence=QUOTE.replace("rebate", "discount"))]
    for now in (earlier, earlier[::-1]):
        new, again = match(earlier[::-1], now)
        assert (new, again) == ([], now)
