"""What an audit's tracking comment shows: its plan, its result, or what its parts said before it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits.model import (
    AuditState,
    Completeness,
    Estimate,
    Range,
    SkippedFile,
    SkipReason,
)
from claude_pool_gh.conversation.audit.report import ended_early, of_plan, of_result
from claude_pool_gh.reports.views import Remark
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import defect, partial, plan, point, result, rich, shard

SKIPPED = (
    SkippedFile(path="logo.png", reason=SkipReason.binary),
    SkippedFile(path="vendor/", reason=SkipReason.vendored, files=120),
    SkippedFile(path="icon.png", reason=SkipReason.binary, files=2),
)


def claim(**fields: Any) -> dict[str, Any]:
    values = {
        "rule": "defects/wrong-result",
        "path": "shop/prices.py",
        "start_line": 2,
        "end_line": 2,
        "severity": "high",
        "title": "The rebate is taken twice",
        "body": "b",
        "scenario": "s",
        "evidence": "    return total - rebate",
        "confidence": 0.9,
    }
    return values | fields


def said(*claims: dict[str, Any], ending: str = "completed") -> dict[str, Any]:
    return {"ending": ending, "structured": {"findings": list(claims)}}


# ---- a plan


def test_a_plan_is_shown_with_its_parts_its_price_and_what_is_left_out() -> None:
    parts = [shard(1, "a.py", "b.py"), replace(shard(2), unlisted=3)]
    beyond = (shard(8, "c.py", "d.py"), replace(shard(9), unlisted=4))
    estimate = Estimate(
        tokens=7,
        cost=Range(low=1, likely=2, high=3),
        seconds=Range(low=4, likely=5, high=6),
        runs=8,
    )
    made = plan(*parts, beyond=beyond, skipped=SKIPPED, estimate=estimate, notices=("No file.",))
    shown = of_plan(made, planned=True)
    assert (shown.name, shown.planned, shown.complete) == ("defects", True, False)
    assert (shown.files_unread, shown.files_read, shown.shards) == (6, 0, 2)
    assert (shown.cost, shown.seconds, shown.tokens, shown.runs) == ((1, 2, 3), (4, 5, 6), 7, 8)
    assert shown.beyond == 7
    assert shown.files_skipped == 123
    assert shown.skipped == (("vendored", 120), ("binary", 3)), "the most first, each reason once"
    assert shown.problems == ("No file.",)
    assert of_plan(made, planned=False).planned is False


def test_of_many_parts_the_first_ten_are_named() -> None:
    shown = of_plan(plan(*map(shard, range(12))), planned=True)
    assert list(shown.first) == [f"shop/{number}" for number in range(10)]


# ---- a result


def test_a_result_counts_what_is_open_new_back_and_fixed() -> None:
    shown = of_result(rich())
    assert shown.complete
    assert (shown.new, shown.reappeared, shown.refuted) == (2, 1, 5)
    assert dict(shown.open) == {
        Severity.critical: 1,
        Severity.high: 3,
        Severity.medium: 3,
        Severity.low: 1,
    }
    assert [severity for severity, _ in shown.open] == sorted(
        dict(shown.open), key=lambda each: -each.rank
    )
    assert shown.total == 8
    assert (shown.shards_read, shown.shards, shown.files_read, shown.files_unread) == (2, 2, 2, 0)
    assert shown.files_skipped == 122
    (unsettled,) = shown.unsettled
    assert unsettled == Remark(
        title="A lock may be taken twice",
        path="shop/lock.py",
        line=9,
        severity=Severity.high,
        reason="the callers could not be found",
    )


def test_findings_go_by_the_names_that_they_are_known_by() -> None:
    found = [defect(number, state=AuditState.new) for number in range(25)]
    shown = of_result(result(*found))
    assert [each.mark for each in shown.standing] == [each.id for each in result(*found).standing][
        :20
    ]
    assert shown.new == 25


def test_what_was_fixed_is_what_this_run_says_was_fixed() -> None:
    history = (point(1, fixed=9), point(2, fixed=4))
    assert of_result(result(history=history)).fixed == 4
    assert of_result(result()).fixed == 0


def test_a_part_that_was_not_read_is_counted_as_such() -> None:
    shown = of_result(partial())
    assert not shown.complete
    assert (shown.shards_read, shown.shards) == (1, 3)
    assert (shown.files_read, shown.files_unread) == (1, 3)
    assert shown.problems == ("The budget was used up.",)
    noted = replace(partial(), plan=replace(partial().plan, notices=("No file matches x.",)))
    assert of_result(noted).problems == ("No file matches x.", "The budget was used up.")
    assert not of_result(result(completeness=Completeness.nothing)).complete


# ---- the end before the end


def test_what_its_parts_said_before_it_ended_is_kept_the_worst_first() -> None:
    shown = ended_early(
        of_plan(plan(shard(1), shard(2), shard(3)), planned=False),
        [
            said(
                claim(severity="low", title="Trifle"),
                claim(path="shop/z.py", title="Last"),
                claim(start_line=9, end_line=9, title="Later"),
                claim(),
            ),
            said(claim(severity="critical", title="Hole")),
            said(claim(title="Lost"), ending="failed"),
            {"ending": "completed", "structured": "nothing"},
        ],
        "defects",
    )
    assert [each.title for each in shown.unsettled] == [
        "Hole",
        "The rebate is taken twice",
        "Later",
        "Last",
        "Trifle",
    ]
    assert shown.unsettled[0] == Remark(
        title="Hole",
        path="shop/prices.py",
        line=2,
        severity=Severity.critical,
        reason="not verified: the audit ended before that",
    )
    assert shown.shards_read == 2
    assert shown.problems == (
        "2 of 3 parts were read before it ended; what they say is not verified.",
    )


@pytest.mark.parametrize("found", [[], [said(ending="cancelled")]])
def test_of_an_audit_of_which_no_part_was_read_nothing_is_claimed(
    found: list[dict[str, Any]],
) -> None:
    planned = of_plan(plan(notices=("No file.",)), planned=False)
    shown = ended_early(planned, found, "defects")
    assert (shown.shards_read, list(shown.unsettled)) == (0, [])
    assert shown.problems[0] == "No file."
    assert shown.problems[1].startswith("0 of 1 parts were read")
