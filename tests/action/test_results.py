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
