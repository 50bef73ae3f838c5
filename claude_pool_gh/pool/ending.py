"""The ends of a pool: drained, handed over to other workers, or closed with its block."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from claude_pool_gh.pool import decisions
from claude_pool_gh.pool.background_writes import LAST_WORD
from claude_pool_gh.pool.core import LOOK_SECONDS, Core
from claude_pool_gh.pool.model.config import SlotMode
from claude_pool_gh.pool.model.records import DrainSummary
from claude_pool_gh.pool.store import queries, queue, slot_rows
from claude_pool_gh.pool.store.closed import ClosedDatabase
from claude_pool_gh.storage.retries import passes

logger = logging.getLogger(__name__)

_AFTER_THE_DEADLINE: Final = 12.0
"""Seconds that a drain gives to what it has to end by force."""


async def drain(core: Core, deadline_secs: float) -> DrainSummary:
    """See `Pool.drain`."""
    _stop_taking(core)
    await _until_still(core, deadline_secs)
    late = await _end_late(core)
    try:
        async with asyncio.timeout(LAST_WORD):
            return await _summary(core, late)
    except Exception as error:
        if not (isinstance(error, TimeoutError) or passes(error)):
            raise
        logger.exception("drained without the store", extra={"action": "drained_unknown"})
        return DrainSummary(
            total_cost_microdollars=0,
            total_tasks_completed=0,
            cancelled=tuple(late),
            left_queued=0,
            known=False,
        )
    finally:
        core.waiting.close()


async def hand_over(core: Core, deadline_secs: float) -> int:
    """See `Pool.hand_over`."""
    _stop_taking(core)
    with suppress(TimeoutError):
        async with asyncio.timeout(deadline_secs):
            while core.dispatcher.running:
                await core.dispatcher.let_go()
                with suppress(TimeoutError):
                    await asyncio.wait_for(core.live.freed.wait(), LOOK_SECONDS)
    await core.dispatcher.let_go()
    return core.dispatcher.running


async def close(core: Core) -> None:
    """End what this process carries; from now on every method of the pool raises PoolShutdown."""
    core.closing = True
    core.slots.close()
    await core.dispatcher.close()
    core.waiting.close()
    await core.waiting.gone()
    await core.background_writes.end()
    core.feed.close()
    core.database = ClosedDatabase(core.closed_words)


@asynccontextmanager
async def to_the_end(core: Core) -> AsyncIterator[None]:
    """Around a block whose store is gone after it: nothing that was submitted in it is lost in silence."""
    try:
        yield
        if core.closing:  # it was drained, and the drain has told what is lost
            return
        core.closing = True
        while core.slots.count and (left := await _left(core, parked=False)):
            await core.waiting.rest(left[0])
    except BaseException as why:
        await _warn_of_loss(core, f"an exception ended the pool's block ({type(why).__name__})")
        raise
    await _warn_of_loss(core, "the pool's block has ended")


def _stop_taking(core: Core) -> None:
    core.closing = True
    core.dispatcher.drain()
    core.slots.close()
    core.live.rouse()


async def _until_still(core: Core, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while core.live.held:
                await core.live.freed.wait()


async def _end_late(core: Core) -> list[str]:
    """End by force whatever still runs an agent; what only waits for something leaves by itself."""
    late: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(_AFTER_THE_DEADLINE):
            while core.live.held:
                freed = core.live.freed
                running = [chain_id for chain_id, held in core.live.held.items() if held.runs]
                for chain_id in set(running) - set(late):
                    late.append(chain_id)
                    await _end_one(core, chain_id)
                with suppress(TimeoutError):
                    await asyncio.wait_for(freed.wait(), LOOK_SECONDS)
    return late


async def _end_one(core: Core, chain_id: str) -> None:
    core.live.stop(chain_id)  # needs no store
    try:
        await decisions.cancel(core, lambda _tx: chain_id)
    except Exception as error:
        if not passes(error):
            raise
        logger.warning("a chain's end is not in the store: %s", error, extra={"chain": chain_id})


async def _summary(core: Core, late: Sequence[str]) -> DrainSummary:
    persistent = core.config.slot_mode is SlotMode.persistent
    gone = [slot.id for slot in core.slots.all if persistent]
    await core.database.transact(lambda tx: slot_rows.stop(tx, gone))
    completed, spent = await core.database.read(lambda tx: queries.done_since(tx, core.started_ms))
    unfinished = await _left(core, parked=not core.kept)
    return DrainSummary(
        total_cost_microdollars=spent,
        total_tasks_completed=completed,
        cancelled=tuple(late),
        left_queued=len(unfinished) if core.kept else 0,
        lost=0 if core.kept else len(unfinished),
    )


async def _left(core: Core, *, parked: bool) -> list[str]:
    return await core.database.read(
        lambda tx: queue.left(tx, core.queue, core.worker, parked=parked)
    )


async def _warn_of_loss(core: Core, why: str) -> None:
    if lost := await _left(core, parked=True):
        logger.warning(
            "%s: %d of what was submitted has not ended, is cancelled and lost, since the pool keeps nothing; "
            "with `state=...` it would go on later",
            why,
            len(lost),
            extra={"action": "work_lost"},
        )
