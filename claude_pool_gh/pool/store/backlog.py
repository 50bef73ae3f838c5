"""The chains that wait in a store: those in the queue, and parked ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.storage import Transaction

_C: Final = chains.c


@dataclass(frozen=True, slots=True)
class Backlog:
    """The chains of every pool of a store that have not ended and are not carried."""

    queued: int
    oldest_ms: int | None
    """When the oldest queued one was made, in milliseconds since the epoch; None where none is queued."""
    parked: Mapping[str, int]
    """How many are parked, by what they wait for."""


def backlog(tx: Transaction) -> Backlog:
    """The chains that wait now."""
    queued, oldest = tx.execute(
        sa.select(sa.func.count(), sa.func.min(_C.created_ms)).where(_C.state == ChainState.queued)
    ).one()
    parked = tx.execute(
        sa.select(_C.parked_for, sa.func.count())
        .where(_C.state == ChainState.parked)
        .group_by(_C.parked_for)
    )
    return Backlog(
        queued=int(queued),
        oldest_ms=None if oldest is None else int(oldest),
        parked={str(reason): int(count) for reason, count in parked},
    )
