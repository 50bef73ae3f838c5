"""What a job is called by its end: nothing that is red hides behind what the next job goes on with."""

from __future__ import annotations

import pytest

from claude_pool_gh.action import results
from claude_pool_gh.action.endings import JobOutcome
from claude_pool_gh.action.permissions import Refusal
from claude_pool_gh.action.results import CommandResult
from claude_pool_gh.pool.model.outcomes import Verdict

LIVE = CommandResult(line="/pool audit", outcome=Verdict.failed, red=True, chain_id="live")
OVER = CommandResult(
    line="/pool audit", outcome=Verdict.failed, red=True, title="It broke", chain_id="over"
)
REFUSAL = Refusal(what="the report issue", permission="", message="Issue is locked")
WHY = "the job's own deadline of 20 minutes has passed"


@pytest.mark.parametrize(
    ("read", "refusals", "red", "outcome", "commands"),
    [
        ((LIVE,), [], False, JobOutcome.unfinished, [JobOutcome.unfinished]),
        ((LIVE,), [REFUSAL], True, JobOutcome.not_posted, [JobOutcome.unfinished]),
        ((OVER, LIVE), [], True, Verdict.failed, [Verdict.failed, JobOutcome.unfinished]),
        ((), [], False, JobOutcome.unfinished, []),
    ],
)
def test_a_hand_over_hides_nothing_that_is_red(
    read: tuple[CommandResult, ...],
    refusals: list[Refusal],
    *,
    red: bool,
    outcome: str,
    commands: list[str],
) -> None:
    found = results.handed_over(read, ["live"], refusals, WHY, 5)
    assert (found.red, found.outcome, found.cost) == (red, outcome, 5)
    assert [each.outcome for each in found.commands] == commands
    assert found.refusals == tuple(each.advice for each in refusals)
    assert "the next job with the same command goes on" in found.why
    assert ("It broke" in found.why) is (OVER in read)
    assert ("The job's own deadline" in found.why) is not red


def test_a_job_that_was_stopped_says_what_github_refused_before() -> None:
    found = results.stopped((LIVE,), [REFUSAL], WHY, 5)
    assert (found.red, found.refusals) == (True, (REFUSAL.advice,))


CLEAN = CommandResult(line="/pool review", outcome=Verdict.clean, title="Nothing found")
SPENT = CommandResult(
    line="/pool fix", outcome=Verdict.out_of_budget, red=True, title="$1 is used up"
)
MISSET = CommandResult(
    line="/pool ask", outcome=JobOutcome.misconfigured, red=True, title="GitHub refused: 403"
)


@pytest.mark.parametrize(
    ("commands", "refusals", "outcome", "red", "why"),
    [
        ((), [], JobOutcome.nothing, False, ""),
        ((CLEAN,), [], Verdict.clean, False, ""),
        ((CLEAN,), [REFUSAL], JobOutcome.not_posted, True, REFUSAL.advice),
        ((CLEAN, SPENT), [], Verdict.out_of_budget, True, "$1 is used up. Raise the caps under"),
        # what could not be posted is why nobody reads of the rest
        ((SPENT,), [REFUSAL], JobOutcome.not_posted, True, REFUSAL.advice),
        # unless that is what comes of a failure
        ((OVER,), [REFUSAL], Verdict.failed, True, "It broke. The comment in the thread says why"),
        ((MISSET,), [REFUSAL], JobOutcome.misconfigured, True, "GitHub refused: 403."),
    ],
)
def test_a_job_is_as_red_as_its_reddest_command_and_what_github_refused_makes_it_red(
    commands: tuple[CommandResult, ...],
    refusals: list[Refusal],
    outcome: str,
    why: str,
    *,
    red: bool,
) -> None:
    found = results.whole(commands, refusals, 7)
    assert (found.outcome, found.red, found.cost, found.commands) == (outcome, red, 7, commands)
    assert found.why.startswith(why)
    assert bool(found.why) is bool(why)
    assert found.refusals == tuple(each.advice for each in refusals)


def test_the_newest_run_and_the_newest_gate_are_the_jobs_and_findings_add_up() -> None:
    first = CLEAN.model_copy(update={"chain_id": "c1", "gate": "g1", "findings": 2})
    second = SPENT.model_copy(update={"chain_id": "c2", "gate": "g2", "upper_bound": True})
    third = CLEAN.model_copy(update={"findings": 3})
    found = results.whole((first, second, third), [], 0)
    assert (found.chain_id, found.approval_pending, found.findings) == ("c2", "g2", 5)
    assert found.upper_bound
    none = results.whole((CLEAN,), [], 0)
    assert (none.chain_id, none.approval_pending, none.findings) == ("", "", None)
    nothing = results.whole((CLEAN.model_copy(update={"findings": 0}),), [], 0)
    assert nothing.findings == 0, "all was read"
    assert not none.upper_bound


@pytest.mark.parametrize(
    ("verdict", "refusals", "outcome", "red", "why"),
    [
        (Verdict.failed, [], Verdict.failed, True, "the issue could not be opened"),
        (Verdict.skipped, [], Verdict.skipped, False, "the issue could not be opened"),
        (Verdict.failed, [REFUSAL], JobOutcome.not_posted, True, REFUSAL.advice),
        (
            Verdict.cancelled,
            [REFUSAL],
            Verdict.cancelled,
            True,
            "The issue could not be opened before it began. Nothing was run or spent",
        ),
    ],
)
def test_without_its_report_issue_a_job_says_why_there_is_none(
    verdict: Verdict, refusals: list[Refusal], outcome: str, why: str, *, red: bool
) -> None:
    found = results.not_placed("the issue could not be opened", verdict, refusals)
    assert (found.outcome, found.red, found.cost) == (outcome, red, 0)
    assert found.why.startswith(why)


def test_an_agent_that_never_came_is_told_with_what_its_runner_must_be() -> None:
    found = results.lost((CLEAN,))
    assert (found.outcome, found.red, found.commands) == (Verdict.failed, True, (CLEAN,))
    assert "claude-agent-sdk" in found.why
    assert found.why.endswith("Nothing was spent.")
