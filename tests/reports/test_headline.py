"""The verdict in a line, and what the check concludes of it: complete, and never green for nothing."""

from __future__ import annotations

from typing import Literal

import pytest

from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.reports.headline import (
    Conclusion,
    conclusion,
    headline,
    of_another_base,
)
from claude_pool_gh.reports.views import (
    AnswerReport,
    ChangeStatus,
    HandInReport,
    Report,
    Retargeted,
    TriageReport,
)
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding
from tests.reports.make import change, reviewed

HEADLINES = {
    Verdict.clean: "Nothing found in 14 files",
    Verdict.findings: "1 finding (worst: high) in 14 files read; the reason `@mona`",
    Verdict.unsettled: "NOT SETTLED: the reason `@mona`",
    Verdict.answered: "Done",
    Verdict.skipped: "NOT REVIEWED: the reason `@mona`",
    Verdict.quota: "NOT REVIEWED: the reason `@mona`",
    Verdict.out_of_budget: "NOT REVIEWED: out of budget (the reason `@mona`)",
    Verdict.out_of_turns: "NOT REVIEWED: out of turns",
    Verdict.cancelled: "NOT REVIEWED: cancelled",
    Verdict.failed: "NOT REVIEWED: the reason `@mona`",
}
CONCLUSIONS = {
    Verdict.clean: "success",
    Verdict.findings: "neutral",
    Verdict.unsettled: "neutral",
    Verdict.answered: "success",
    Verdict.skipped: "neutral",
    Verdict.quota: "neutral",
    Verdict.out_of_budget: "action_required",
    Verdict.out_of_turns: "action_required",
    Verdict.cancelled: "cancelled",
    Verdict.failed: "failure",
}
WHOLE = (Verdict.clean, Verdict.findings, Verdict.answered)


FOUND = Outcome(verdict=Verdict.findings)


def outcome(verdict: Verdict, *, ours: bool = False) -> Outcome:
    return Outcome(verdict=verdict, reason="the reason @mona", ours=ours)


def test_both_tables_are_complete() -> None:
    assert set(HEADLINES) == set(CONCLUSIONS) == set(Verdict)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_its_headline(verdict: Verdict) -> None:
    found = reviewed(inline=(finding(),)) if verdict is Verdict.findings else reviewed()
    assert headline(outcome(verdict), found) == HEADLINES[verdict]


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict not in WHOLE])
def test_what_is_no_whole_review_says_so_first(verdict: Verdict) -> None:
    said = "NOT SETTLED: " if verdict is Verdict.unsettled else "NOT REVIEWED: "
    assert headline(outcome(verdict), None).startswith(said)
    assert headline(outcome(verdict), reviewed()).startswith(said)


@pytest.mark.parametrize("verdict", [Verdict.out_of_budget, Verdict.out_of_turns, Verdict.failed])
def test_a_part_that_was_reviewed_is_counted(verdict: Verdict) -> None:
    found = reviewed(inline=(finding(), finding(evidence="x")))
    assert headline(outcome(verdict), found).startswith("PARTLY REVIEWED (2 findings): ")


def test_the_worst_finding_is_named_wherever_it_stands() -> None:
    found = reviewed(
        inline=(finding(severity="low"),), outside=(finding(severity="critical"),), files=1
    )
    assert headline(FOUND, found) == "2 findings (worst: critical) in 1 file read"


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("on_error", ["neutral", "failure"])
def test_every_verdict_has_its_conclusion(
    verdict: Verdict, ours: bool, on_error: Literal["neutral", "failure"]
) -> None:
    found = conclusion(outcome(verdict, ours=ours), reviewed(), fail_on="never", on_error=on_error)
    assert found == (on_error if ours and verdict is Verdict.failed else CONCLUSIONS[verdict])
    assert (found == "success") == (verdict in (Verdict.clean, Verdict.answered))


@pytest.mark.parametrize("severity", list(Severity))
@pytest.mark.parametrize("fail_on", ["never", *Severity])
def test_findings_fail_the_check_from_the_configured_severity_up(
    severity: Severity, fail_on: str
) -> None:
    found = reviewed(inline=(finding(severity="low"), finding(severity=severity)))
    fails = fail_on != "never" and max(severity.rank, 0) >= Severity(fail_on).rank
    expected = "failure" if fails else "neutral"
    assert (
        conclusion(outcome(Verdict.findings), found, fail_on=fail_on, on_error="neutral")
        == expected
    )


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict not in WHOLE])
def test_what_is_no_review_and_came_to_nothing_is_not_done(verdict: Verdict) -> None:
    said = "NOT SETTLED: " if verdict is Verdict.unsettled else "NOT DONE: "
    for report in (None, change(), AnswerReport(text="")):
        assert headline(outcome(verdict), report, "fix").startswith(said)


AT_REST: dict[str, Report | None] = {
    "Answered": AnswerReport(text=""),
    "Triaged": TriageReport(summary=""),
    "Done": HandInReport(text="", gate=""),
    "Pushed ccccccccc: 2 files, +3 -10": change(fate=ChangeStatus.pushed),
    "Pull request #12: 2 files, +3 -10": change(fate=ChangeStatus.proposed, pull=12),
    "Approved, being pushed: 2 files, +3 -10": change(fate=ChangeStatus.writing),
    "NOT PUSHED: the head moved, `@mona`": change(
        fate=ChangeStatus.refused, refused="the head moved, @mona"
    ),
    "A patch for you to apply: 2 files, +3 -10": change(fate=ChangeStatus.patch_only),
    "2 questions before I can start": change(fate=ChangeStatus.nothing, questions=("a", "b")),
    "Nothing was changed": change(fate=ChangeStatus.nothing, files=()),
}
WAITING: dict[str, Report | None] = {
    "AWAITING APPROVAL": HandInReport(text="", gate=""),
    "AWAITING APPROVAL: 2 files, +3 -10": change(),
    "NOT APPLIED: the head has moved to `@mona`": change(stale="the head has moved to @mona"),
    "NOT APPLIED: it was closed": HandInReport(text="", gate="", stale="it was closed"),
}


@pytest.mark.parametrize("line", AT_REST)
def test_an_answer_says_what_became_of_it(line: str) -> None:
    assert headline(outcome(Verdict.answered), AT_REST[line], "fix") == line


@pytest.mark.parametrize("line", WAITING)
def test_what_waits_for_a_person_says_so(line: str) -> None:
    assert headline(None, WAITING[line], "fix") == line


def test_a_review_counts_what_is_new_what_is_fixed_and_what_still_stands() -> None:
    old = finding(path="old.py", severity="low")
    for fields, line in (
        ({"standing": (old,)}, "1 finding still open (worst: low) in 14 files read"),
        ({"fixed": (old, old)}, "2 fixed in 14 files read"),
        (
            {"inline": (finding(),), "fixed": (old,)},
            "1 new, 1 fixed (worst: high) in 14 files read",
        ),
        (
            {"inline": (finding(),), "standing": (old,)},
            "1 new, 1 still open (worst: high) in 14 files read",
        ),
    ):
        assert headline(FOUND, reviewed(**fields)) == line


def test_a_finding_that_still_stands_fails_the_check_as_a_new_one_does() -> None:
    found = reviewed(standing=(finding(severity="critical"),))
    assert (
        conclusion(outcome(Verdict.findings), found, fail_on="high", on_error="neutral")
        == "failure"
    )


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_open_finding_that_fails_the_check_is_made_neutral_by_no_other_trouble(
    verdict: Verdict,
) -> None:
    """GitHub takes neutral for a pass where a check is required."""
    found = reviewed(standing=(finding(severity="critical"),))
    ended = conclusion(outcome(verdict, ours=True), found, fail_on="high", on_error="neutral")
    assert ended != "neutral"
    assert (
        conclusion(outcome(verdict, ours=True), found, fail_on="never", on_error="neutral")
        != "failure"
    )


def test_what_was_fixed_is_said_beside_what_is_not_settled() -> None:
    found = reviewed(fixed=(finding(),))
    assert headline(outcome(Verdict.unsettled), found) == "NOT SETTLED: the reason `@mona`, 1 fixed"


@pytest.mark.parametrize("fate", list(ChangeStatus))
def test_a_change_that_was_not_let_out_is_not_green(fate: ChangeStatus) -> None:
    found = conclusion(
        outcome(Verdict.answered), change(fate=fate), fail_on="never", on_error="neutral"
    )
    wanted = {
        ChangeStatus.pushed: "success",
        ChangeStatus.proposed: "success",
        ChangeStatus.refused: "failure",
        ChangeStatus.nothing: "neutral",
        ChangeStatus.patch_only: "neutral",
    }
    assert found == wanted.get(fate), "what does not stand yet has no conclusion"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (
            "There's an issue with the selected model (x). Run --model to pick a different model.",
            "There's an issue with the selected model (x).",
        ),
        ("no such key. Run /login to sign in", "no such key."),
        ("not found. Try `claude --resume` again. It failed", "not found. It failed"),
        ("Run the tests, and then push", "Run the tests, and then push"),
        ("the head has moved. Use /pool retry", "the head has moved. Use /pool retry"),
    ],
)
def test_what_the_cli_advises_its_user_is_not_passed_on(reason: str, shown: str) -> None:
    assert headline(Outcome(verdict=Verdict.failed, reason=reason), None).endswith(f": {shown}")


@pytest.mark.parametrize(
    ("concluded", "then"),
    [
        ("success", "neutral"),
        ("failure", "failure"),
        ("neutral", "neutral"),
        ("action_required", "action_required"),
        ("cancelled", "cancelled"),
    ],
)
def test_another_base_makes_no_check_better_and_no_green_one_stays(
    concluded: Conclusion, then: Conclusion
) -> None:
    moved = Retargeted(read="main", now="develop")
    shown, title = of_another_base(concluded, "2 findings in 3 files read", moved)
    assert shown == then
    assert "it goes into develop now, and was read against main" in title
    assert ("2 findings" in title) is (concluded != "success")


def test_a_review_that_had_nothing_to_read_says_since_when() -> None:
    clean = Outcome(verdict=Verdict.clean)
    nothing = reviewed(files=0, since="a" * 40)
    assert headline(clean, nothing) == "Nothing found; nothing to read has changed since aaaaaaaaa"
    fixed = reviewed(files=0, since="a" * 40, fixed=(finding(),))
    assert headline(clean, fixed) == "1 fixed; nothing to read has changed since aaaaaaaaa"
    assert headline(clean, reviewed(files=2, since="a" * 40)) == "Nothing found in 2 files"
