"""The decision whether a task gets another attempt."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import AgentOutcome, Ending

MOST_ATTEMPTS: Final = 4
"""A task whose process died this often is given up: something in it kills the server."""


def most_attempts(run: AgentRun, rejections: tuple[str, ...]) -> int:
    """Attempts after which a task is given up; each rejection asks for more of them."""
    return max(MOST_ATTEMPTS, run.retries + 2) * (1 + len(rejections))


def may_retry(run: AgentRun, outcome: AgentOutcome, retries_left: int) -> bool:
    """True where a retry is due: the attempt failed of something that may pass, and retries are left."""
    asked = run.overrides.retry_timeouts and outcome.ending is Ending.timed_out
    return (outcome.retryable or asked) and retries_left > 0


def may_recover(run: AgentRun, outcome: AgentOutcome, retries_left: int) -> bool:
    """True where the one more attempt is due: the last retry failed of something that other words may help."""
    if run.recovery is None or may_retry(run, outcome, retries_left):
        return False
    return outcome.retryable or outcome.ending in (Ending.out_of_turns, Ending.timed_out)
