"""Deletes what ended long ago, a part at a time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.store import planned_steps, retention

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRetention:
    """For how many days after its end what belongs to a chain is kept; None: for ever."""

    transcripts: float | None
    """What agents were asked, and said and did on the way."""
    patches: float | None
    chains: float | None
    """Chains with their steps, tasks and results. What they cost stays in every sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPruned:
    """The amount that was deleted."""

    transcripts: int
    patches: int
    chains: int


async def prune(core: Core, older_than_secs: float) -> int:
    """See `Pool.prune`."""
    before, deleted = core.clock.now_ms() - int(older_than_secs * 1000), 0
    while some := await core.database.transact(lambda tx: retention.prune(tx, core.queue, before)):
        deleted += some
    while await core.database.transact(
        lambda tx: retention.forget_transcripts(tx, core.queue, before)
    ):
        pass
    await _forget_steps(core)
    return deleted


async def apply(core: Core, wanted: PoolRetention, pause_secs: float) -> PoolPruned:
    """See `Pool.apply_retention`."""
    now = core.clock.now_ms()

    async def all_of(days: float | None, *steps: retention.Step) -> int:
        deleted = 0
        if days is None:
            return deleted
        before = now - int(days * _DAY_MS)
        for step in steps:
            while some := await core.database.transact(
                partial(step, pool=core.queue, before_ms=before)
            ):
                deleted += some
                await asyncio.sleep(pause_secs)  # others' transactions come between
        return deleted

    pruned = PoolPruned(
        transcripts=await all_of(wanted.transcripts, retention.forget_transcripts),
        patches=await all_of(wanted.patches, retention.forget_patches),
        chains=await all_of(wanted.chains, retention.prune_shared, retention.prune),
    )
    await _forget_steps(core)
    return pruned


async def _forget_steps(core: Core) -> None:
    """Delete the steps that only deleted chains had."""
    now = core.clock.now_ms()
    while await core.database.transact(lambda tx: planned_steps.forget_unused(tx, now)):
        pass
