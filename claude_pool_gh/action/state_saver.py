"""Lets other jobs know what this one does: in its thread's state, and in the repository's ledger."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.keeper import Keeper, TakenOver
from claude_pool_gh.action.state.ref import Refused, Stale
from claude_pool_gh.action.stop import Stop
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

_TAKEN_OVER: Final = "another job has taken over this thread"


async def published(runtime: Runtime, keeper: Keeper) -> bool:
    """Bring the ledger and this database up to date with one another; whether that could be done.

    A job that keeps nothing only reads the ledger.
    """
    try:
        if keeper.keeps:
            whole = await money.publish(keeper.books, await runtime.database.read(money.own))
        else:
            whole = await money.known(keeper.books)
    except (Stale, Refused, WorktreeError) as error:
        logger.warning("not in the ledger: %s", error)
        return False
    await runtime.database.transact(partial(money.count_others, entries=whole))
    return True


async def keep(keeper: Keeper, stop: Stop) -> None:
    """Save after each change; without the thread, end."""
    try:
        await keeper.save_for_ever()
    except TakenOver:
        stop.reason = stop.reason or _TAKEN_OVER


async def kept(keeper: Keeper, stop: Stop, *, ended: bool = False) -> None:
    """Save now."""
    try:
        await keeper.save(ended=ended)
    except TakenOver:
        stop.reason = stop.reason or _TAKEN_OVER
    except (Refused, WorktreeError) as error:
        logger.warning("not kept: %s", error)
