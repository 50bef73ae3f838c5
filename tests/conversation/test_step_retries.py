"""Host steps outlast an outage, and pass on a refusal in its own words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from claude_pool_gh.conversation.host_steps.step_retries import patient
from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    OperatorNeeded,
    RateLimited,
    Unreadable,
)
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.worktrees.errors import OriginUnavailable, OutOfDisk, WorktreeError
from tests.pool.make import plan

CONTEXT = HostStepContext("c1", plan(), {})


class Failing:
    """A step that fails so often, of one error, put into words or not."""

    def __init__(self, times: int, error: Exception, said: str = "") -> None:
        self.left, self.error, self.said, self.runs = times, error, said, 0

    async def __call__(self, context: HostStepContext) -> Done | Finish:
        self.runs += 1
        if self.left:
            self.left -= 1
            if self.said:
                raise StepFailed(self.said, ours=True) from self.error
            raise self.error
        return Done({"read": context.chain_id})


PASSING: list[Exception] = [
    ForgeUnavailable("502"),
    Unreadable("html"),
    OperatorNeeded("key"),
    RateLimited(0.001),
    OriginUnavailable("git fetch"),
    OutOfDisk("full"),
]


@pytest.mark.parametrize(
    "said", ["", "GitHub could not be reached", "the pull request's commits cannot be read"]
)
@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_a_fault_that_passes_ends_no_step(error: Exception, said: str) -> None:
    step = Failing(6, error, said)
    done = await patient(step, pause=0.001)(CONTEXT)
    assert (done.result, step.runs) == ({"read": "c1"}, 7)


@pytest.mark.parametrize(
    ("error", "said", "told"),
    [
        (
            ForgeRefused(403, "Resource not accessible"),
            "GitHub could not be reached",
            "403: Resource not accessible",
        ),
        (ForgeRefused(451, "Repository access blocked"), "", "451: Repository access blocked"),
        (WorktreeError("git diff failed"), "the diff cannot be read", "the diff cannot be read"),
        (ValueError("x"), "the diff cannot be read", "the diff cannot be read"),
    ],
)
async def test_whatever_does_not_pass_ends_it_at_once(
    error: Exception, said: str, told: str
) -> None:
    step = Failing(6, error, said)
    with pytest.raises(StepFailed) as failed:
        await patient(step, pause=0.001)(CONTEXT)
    assert told in failed.value.reason
    assert "could not be reached" not in failed.value.reason
    assert step.runs == 1


async def test_an_error_of_our_own_stays_one() -> None:
    with pytest.raises(KeyError):
        await patient(Failing(1, KeyError("x")))(CONTEXT)


async def test_what_a_step_failed_of_stays_behind_its_words_for_the_log() -> None:
    cause = WorktreeError("git diff failed", "fatal: bad object")
    with pytest.raises(StepFailed) as failed:
        await patient(Failing(1, cause, "the diff cannot be read"))(CONTEXT)
    assert failed.value.__cause__ is cause


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ForgeUnavailable("502"), r"GitHub could not be reached \(0 minutes\)"),
        (RateLimited(9999), r"GitHub asked to wait too long"),
        (OutOfDisk("full"), "the operator of this bot must act"),
        (OperatorNeeded("the key"), "not let through to GitHub; the operator of this bot must act"),
    ],
)
async def test_at_last_it_is_given_up_and_said(
    error: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(StepFailed, match=told):
        await patient(Failing(10**6, error), longest=0.05, pause=0.001)(CONTEXT)
    levels = {each.levelname for each in caplog.records}
    assert "ERROR" not in levels if "operator" not in told else levels == {"ERROR"}


async def test_it_ends_when_it_is_cancelled() -> None:
    waiting = asyncio.ensure_future(patient(Failing(9, ForgeUnavailable("502")), pause=60)(CONTEXT))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
