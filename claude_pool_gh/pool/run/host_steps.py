"""Calls a function of the host's, and holds it to its contract: it returns a result, or says that the chain ends."""

from __future__ import annotations

import inspect
from typing import Any

from claude_pool_gh.pool.model import json_values
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.run.contained import contained


async def called(name: str, host_step: HostStep, context: HostStepContext) -> Done | Finish:
    """The result of a function of the host's. Raises StepFailed where that is no result."""
    with contained():
        running: Any = host_step(context)
        answer: Any = await running if inspect.isawaitable(running) else running
    if not isinstance(answer, Done | Finish):
        kind = "None" if answer is None else type(answer).__name__
        raise StepFailed(
            f"the host step {name!r} returned {kind}: end it with `return Done(result)` or `Finish`"
        )
    result = answer.result
    if (wrong := json_values.fault(result)) is not None:
        raise StepFailed(
            f"the host step {name!r} returned a result with {wrong}, which JSON cannot hold"
        )
    return answer
