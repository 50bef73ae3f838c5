"""Waits for the end of a job's commands, and ends them early where the job has to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from claude_pool_gh.action.gate import Gate
from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.github import command_rows
from claude_pool_gh.github.effects import lookups
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.store import lookup, queries
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.storage import Transaction

_LOOK_SECONDS: Final = 0.1
_END_SECONDS: Final = 3.0
"""For each of the two parts of an early end. A runner waits 7.5 seconds after SIGINT, and 2.5 more after SIGTERM."""


async def finished(
    runtime: Runtime, gate: Gate, keeper: Keeper, is_due: Callable[[], bool]
) -> bool:
    """Wait for the end of all commands, all written; False where the job has to end before that."""
    known: object = None
    while not is_due():
        if gate.is_shut and await runtime.database.read(
            partial(_only_held_back, passed=gate.passed)
        ):
            return False
        if await runtime.database.read(_all_done):
            return True
        if (seen := await runtime.database.read(_progress)) != known:
            known = seen
            keeper.changed()
        await asyncio.sleep(_LOOK_SECONDS)
    return False


async def end_early(runtime: Runtime) -> None:
    """End whatever runs and let GitHub show that, within seconds."""
    runtime.writer.hurry()
    for chain_id in await runtime.database.read(lookup.on_the_way):
        await runtime.pool.cancel_chain(ChainId(chain_id))
    await until(runtime, lambda tx: not queries.waiting_chains(tx))
    runtime.writer.wake()
    await until(runtime, lambda tx: not lookups.unwritten(tx))


async def until(runtime: Runtime, reached: Callable[[Transaction], bool]) -> None:
    """Wait until the rows are so, for a while."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline and not await runtime.database.read(reached):  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS / 2)


def _progress(tx: Transaction) -> tuple[int, ...]:
    """Figures that change where the next job would have to know it."""
    return (*lookups.writes(tx), queries.ended_steps(tx))


def _only_held_back(tx: Transaction, passed: Collection[str]) -> bool:
    """True where something is on its way, and nothing of it that has been let through."""
    going = set(lookup.on_the_way(tx))
    return bool(going) and going.isdisjoint(passed)


def _all_done(tx: Transaction) -> bool:
    return not (command_rows.are_waiting(tx) or queries.waiting_chains(tx) or lookups.unwritten(tx))
