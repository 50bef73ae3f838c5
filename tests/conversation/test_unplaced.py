"""What was stated without a place, and comes back corrected."""

from __future__ import annotations

from claude_pool_gh.conversation.review.unplaced import corrected
from claude_pool_gh.findings.anchor import DroppedFinding
from claude_pool_gh.findings.model import Finding
from tests.findings.make import finding


def odd(one: Finding) -> DroppedFinding:
    return DroppedFinding(one.title, one.path, "its evidence is not in the file")


def test_a_correction_stands_for_one_claim() -> None:
    one, other = finding(path="a.py", title="No check"), finding(path="b.py", title="No check")
    right, wrong = (
        one.model_copy(update={"start_line": 7}),
        other.model_copy(update={"start_line": 9}),
    )
    stated, dropped = [one, other], [odd(one), odd(other)]
    assert corrected(stated, dropped, [wrong, right]) == [right, wrong]
    assert corrected(stated, dropped, [wrong]) == [odd(one), wrong]
    assert corrected(stated, [one, odd(other)], [right]) == [one, right]
    assert corrected(stated, dropped, []) == dropped


def test_only_the_place_is_taken_from_a_correction() -> None:
    one = finding(path="a.py", title="No check", severity="critical", body="Since it is so.")
    there = {"path": "c.py", "side": "LEFT", "start_line": 7, "end_line": 8, "evidence": "x\ny"}
    other = finding(path="c.py", title="No check", severity="low", body="Never mind.")
    (found,) = corrected([one], [odd(one)], [other.model_copy(update=there)])
    assert found == one.model_copy(update={**there, "suggestion": other.suggestion})
