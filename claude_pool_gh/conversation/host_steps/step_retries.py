"""Host steps that outlast an outage: what fails because GitHub cannot be reached now is done again, not ended.

A step of the host's holds no slot and spends nothing, so it can wait; it acts on nothing outside, so it can be
repeated.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    OperatorNeeded,
    RateLimited,
    Unreadable,
)
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.worktrees.errors import OriginUnavailable, OutOfDisk

logger = logging.getLogger(__name__)

LONGEST: Final = 6 * 3600.0
"""Seconds for which a step is done again before the chain ends, with what it has so far."""
_UNREADABLE_SECONDS: Final = 900.0
"""The same for answers that cannot be read: a proxy's page passes soon, a change of GitHub's format does not."""
_LONGEST_PAUSE: Final = 60.0

Passing = ForgeUnavailable | RateLimited | OriginUnavailable


def patient(step: HostStep, *, longest: float = LONGEST, pause: float = 1.0) -> HostStep:
    """The step, done again with longer and longer pauses while what it fails of is a fault that passes.

    More than `stamina` does: the longest wait depends on the fault, and GitHub's own word decides over each pause.
    """

    async def run(context: HostStepContext) -> Done | Finish:
        began = asyncio.get_running_loop().time()
        wait = pause
        while True:
            try:
                return await step(context)
            except Exception as error:
                passing = _passing(error)
                if passing is None:
                    refused = _refused(error)
                    if refused is None:
                        raise
                    raise refused from error
                waited = asyncio.get_running_loop().time() - began
                rest = (
                    min(
                        longest, _UNREADABLE_SECONDS if isinstance(passing, Unreadable) else longest
                    )
                    - waited
                )
                seconds = _seconds(passing, wait)
                if seconds > rest:
                    raise StepFailed(_given_up(passing, waited), ours=True) from error
                do = getattr(passing, "do", "")  # of what only the operator can change
                told = {"action": "step_postponed", "chain": context.chain_id, "do": do}
                level = logging.ERROR if do else logging.WARNING
                logger.log(level, "step postponed: %s", passing, extra=told)
            await asyncio.sleep(seconds)
            wait = min(2 * wait, _LONGEST_PAUSE)

    return run


def _passing(error: BaseException | None) -> Passing | None:
    """The fault that passes behind an error, however a step has put it into words."""
    while error is not None:
        if isinstance(error, Passing):
            return error
        error = error.__cause__
    return None


def _refused(error: Exception) -> StepFailed | None:
    """A refusal of GitHub's in its own words; None where it is something else."""
    cause = error.__cause__ if isinstance(error, StepFailed) else error
    if isinstance(cause, ForgeRefused):
        return StepFailed(f"GitHub refused what this step needs: {cause}", ours=True)
    return None


def _seconds(passing: Passing, wait: float) -> float:
    if isinstance(passing, RateLimited):
        return passing.seconds
    return wait * random.uniform(1.0, 1.2)  # noqa: S311 - spreads load, no secret


def _given_up(passing: Passing, waited: float) -> str:
    if isinstance(passing, OutOfDisk):
        return "the server's disk is full; the operator of this bot must act"
    if isinstance(passing, OperatorNeeded):
        return "this server is not let through to GitHub; the operator of this bot must act"
    what = (
        "could not be reached" if not isinstance(passing, RateLimited) else "asked to wait too long"
    )
    return f"GitHub {what} ({waited / 60:.0f} minutes)"
