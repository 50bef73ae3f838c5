"""Deletes what ended long ago, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.store import planned_steps, retention, trimming
from claude_pool_gh.storage.piecemeal import Kind, delete_all

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRetention:
    """For how many days after its end what belongs to a chain is kept; None: for ever."""

    transcripts: float | None
    """What only the run itself needed: what agents were asked, and said and did on the way."""
    patches: float | None
    chains: float | None
    """Chains with their steps, tasks and results. What they cost stays in every sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPruned:
    """The amount that was deleted."""

    transcripts: int
    patches: int
    chains: int
    trimmed: int = 0
    """Chains that lost what their steps only passed on."""


async def prune(core: Core, older_than_secs: float) -> int:
    """See `Pool.prune`."""
    now = core.clock.now_ms()
    before = now - int(older_than_secs * 1000)
    kinds = (
        _kind("chains", retention.prune, core.queue, before),
        _kind("transcripts", retention.forget_transcripts, core.queue, before),
        _kind("trimmed", trimming.trim, core.queue, before),
        _unused_plans(now),
    )
    return (await delete_all(core.database.transact, kinds, 0))["chains"]


async def apply(core: Core, wanted: PoolRetention, pause_secs: float) -> PoolPruned:
    """See `Pool.apply_retention`."""
    kinds = kinds_of(wanted, core.queue, core.clock.now_ms())
    deleted = await delete_all(core.database.transact, kinds, pause_secs)
    return PoolPruned(
        transcripts=deleted["transcripts"],
        patches=deleted["patches"],
        chains=deleted["chains"],
        trimmed=deleted["trimmed"],
    )


def kinds_of(wanted: PoolRetention, pool: str, now_ms: int) -> Iterator[Kind]:
    """Kinds of a pool's rows that are older than wanted, in their order: chains come before what only they refer to."""
    for name, days, step in (
        ("transcripts", wanted.transcripts, retention.forget_transcripts),
        ("patches", wanted.patches, retention.forget_patches),
        ("chains", wanted.chains, retention.prune_shared),
        ("chains", wanted.chains, retention.prune),
        ("trimmed", wanted.transcripts, trimming.trim),
    ):
        if days is not None:
            yield _kind(name, step, pool, now_ms - int(days * _DAY_MS))
    yield _unused_plans(now_ms)


def _kind(name: str, step: retention.Step, pool: str, before_ms: int) -> Kind:
    return Kind(name, partial(step, pool=pool, before_ms=before_ms))


def _unused_plans(now_ms: int) -> Kind:
    """Steps that only deleted chains had."""
    return Kind("plans", partial(planned_steps.forget_unused, now_ms=now_ms))
