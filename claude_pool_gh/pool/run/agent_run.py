"""Runs an agent once and holds it to its contract: its clock, its type of result, its schema, its exceptions.

An agent of one's own may break any of them. Whatever it does, its task ends soon, and says in words why.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final, get_type_hints

from claude_pool_gh.pool.model import json_values
from claude_pool_gh.pool.model.arguments import fitting
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.ports import (
    Agent,
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Clock,
    Ending,
)
from claude_pool_gh.pool.model.schemas import mismatch
from claude_pool_gh.pool.run.contained import CANCELLED, EndedItself, contained
from claude_pool_gh.storage import Database

logger = logging.getLogger(__name__)

LEAST_FOR_A_TASK: Final = 20_000
"""Two cents: what a run is not begun without, where its agent has no `least`."""
_OVERTIME_SECONDS: Final = 15.0
"""What an agent that keeps its own time gets beyond it, before the pool ends it."""
_STOP_SECONDS: Final = 5.0
_CANCEL_SECONDS: Final = 4.0
_LONGEST_REASON: Final = 500


def least(agent: Agent, task: AgentTask) -> int:
    """Microdollars that a run of this task needs at the least. Raises ValueError where it could not run at all."""
    own: Callable[[AgentTask], Any] | None = getattr(agent, "least", None)
    least: Any = LEAST_FOR_A_TASK if own is None else own(task)
    if not isinstance(least, int) or isinstance(least, bool) or least < 0:
        raise ValueError(
            f"`least` of {type(agent).__name__} returned {least!r}, not a whole number of microdollars"
        )
    return least


def is_metered(agent: Agent) -> bool:
    """True where an agent asks for its money piece by piece, so that it may begin with the least."""
    return hasattr(agent, "least")


def check_agent(agent: Any) -> None:
    """Raises TypeError, in words, for what is no `Agent`."""
    if isinstance(agent, type):
        raise TypeError(
            f"the agent is the class {agent.__name__}, not one of its objects: call it, as in {agent.__name__}()"
        )
    if not callable(getattr(agent, "run", None)):
        raise TypeError(
            f"{type(agent).__name__} is no agent: it needs a method `async def run(self, task, folder, line)` that "
            "returns an AgentOutcome"
        )


@asynccontextmanager
async def at_work(agent: Agent, database: Database, clock: Clock) -> AsyncIterator[Agent]:
    """Around everything that the agent is asked to run, with the agent that runs it.

    Raises TypeError where `at_work` yields what is none, or an agent of another class: one that holds others to rules
    would be passed over without a word, where it only hands on the `at_work` of the agent within it.
    """
    own: Callable[[Database, Clock], AbstractAsyncContextManager[Agent | None]] | None = getattr(
        agent, "at_work", None
    )
    async with nullcontext() if own is None else own(database, clock) as bound:
        working = agent if bound is None else bound
        check_agent(working)
        if not isinstance(working, type(agent)):
            outer, inner = type(agent).__name__, type(working).__name__
            raise TypeError(
                f"`at_work` of {outer} yields an object of {inner}, which would run without it: give {outer} an "
                f"`at_work` of its own that yields an object of {outer} around that one"
            )
        yield working


async def run_agent(
    agent: Agent, task: AgentTask, folder: Path, line: AgentChannel
) -> AgentOutcome:
    """The agent's own end, or, where it does not heed `stop` or its clock, the one that it is given.

    An agent that does not say how long it took is timed here.
    """
    began = time.monotonic()
    outcome = await _timed(agent, task, folder, line)
    elapsed_ms = outcome.elapsed_ms or int((time.monotonic() - began) * 1000)
    return outcome if outcome.elapsed_ms == elapsed_ms else replace(outcome, elapsed_ms=elapsed_ms)


async def _timed(agent: Agent, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
    run = asyncio.create_task(_run(agent, task, folder, line))
    stop = asyncio.create_task(line.stop.wait())
    extra = _OVERTIME_SECONDS if getattr(agent, "keeps_time", False) else 0.0
    try:
        await asyncio.wait(
            {run, stop}, timeout=task.wall_seconds + extra, return_when="FIRST_COMPLETED"
        )
        if not run.done() and line.stop.is_set():
            await asyncio.wait({run}, timeout=_STOP_SECONDS)
        if run.cancelled():  # by nobody here
            return _broke(f"the agent {CANCELLED}", line, retryable=True)
        if run.done():
            return run.result()
        run.cancel()
        await asyncio.wait({run}, timeout=_CANCEL_SECONDS)
    except asyncio.CancelledError:
        run.cancel()
        await asyncio.wait({run}, timeout=_STOP_SECONDS + _CANCEL_SECONDS)
        raise
    finally:
        stop.cancel()
    ending = Ending.cancelled if line.stop.is_set() else Ending.timed_out
    reason = "" if line.stop.is_set() else f"it ran longer than {task.wall_seconds:g} seconds"
    # An agent that cannot be ended may still be at work: nothing else runs on its slot.
    return AgentOutcome(ending=ending, reason=reason, text=line.partial, broken=not run.done())


async def _run(agent: Agent, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
    """The outcome of the agent's task, or how it broke its contract."""
    try:
        with contained():
            running: Any = agent.run(task, folder, line)
            if not inspect.isawaitable(running):
                return _broke(
                    "the agent's `run` is a plain function: make it `async def run`", line
                )
            outcome = await running
    except EndedItself as how:
        return _broke(f"the agent {how}", line, retryable=how.again)
    except CapReached as refusal:  # of `AgentChannel.spending`
        return AgentOutcome(ending=Ending.out_of_budget, reason=str(refusal), text=line.partial)
    except Exception as error:  # around a stranger's code: whatever broke, the task ends in words
        logger.exception("agent raised", extra={"action": "agent_raised", "task": task.run_id})
        said = str(error) or "no message"
        return _broke(f"the agent raised {type(error).__name__}: {said}", line, retryable=True)
    return _checked(task, outcome, line)


def _checked(task: AgentTask, given: Any, line: AgentChannel) -> AgentOutcome:
    if not isinstance(given, AgentOutcome):
        kind = "None" if given is None else type(given).__name__
        return _broke(
            f"the agent's `run` returned {kind}, not an AgentOutcome: "
            "end it with `return AgentOutcome(ending=Ending.completed, text=...)`",
            line,
        )
    if (wrong := _wrong_type(given) or _wrong_value(given)) is not None:
        told = _broke(f"the agent's outcome cannot be used: {wrong}", line)
        return replace(told, cost_microdollars=_cost(given))
    ending = Ending(given.ending)
    outcome = given if given.ending is ending else replace(given, ending=ending)
    if task.schema is None or outcome.ending is not Ending.completed:
        return outcome
    differs = mismatch(outcome.structured, task.schema)
    if differs is None:
        return outcome
    reason = f"`structured` of the agent's outcome does not have the form asked for: {differs}"
    return replace(
        outcome,
        ending=Ending.failed,
        reason=reason[:_LONGEST_REASON],
        retryable=not differs.of_schema,
    )


@cache
def _types_of_an_outcome() -> tuple[tuple[str, Any], ...]:
    """Each field of an outcome with its type: to resolve the annotations takes longer than all else that is checked."""
    return tuple(get_type_hints(AgentOutcome).items())


def _wrong_type(outcome: AgentOutcome) -> str | None:
    """The part of an outcome that is of another type than it says.

    Texts may hold anything: they are cleaned when stored.
    """
    for name, wanted in _types_of_an_outcome():
        value = getattr(outcome, name)
        if type(value) is wanted:
            continue
        try:
            fitting(name, value, wanted)
        except TypeError as error:
            return str(error)
        except ValueError:
            continue
    return None


def _wrong_value(outcome: AgentOutcome) -> str | None:
    """The part of an outcome that could not be stored, or read again."""
    if outcome.cost_microdollars < 0 or outcome.elapsed_ms < 0 or outcome.turns < 0:
        return "its cost, time and turns are 0 or more"
    for name in ("structured", "looked_at", "transcript"):
        if (wrong := json_values.fault(getattr(outcome, name))) is not None:
            return f"`{name}` has {wrong}, which JSON cannot hold"
    return None


def _cost(outcome: AgentOutcome) -> int:
    """The cost of an outcome that cannot be used, which is booked all the same; 0 where it says none."""
    told: Any = outcome.cost_microdollars
    return told if type(told) is int and told > 0 else 0


def _broke(reason: str, line: AgentChannel, *, retryable: bool = False) -> AgentOutcome:
    return AgentOutcome(
        ending=Ending.failed,
        reason=reason[:_LONGEST_REASON],
        text=line.partial,
        retryable=retryable,
    )
