"""The queue: which chain runs next, who carries which, and whose carrier is gone.

The rows of the chains are the queue. A worker takes the next chain by a compare-and-set, so any number of workers
on one database share it; whoever takes a chain up raises its generation, which shuts out whoever carried it before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ON_THE_WAY, OPEN, ChainState
from claude_pool_gh.pool.store.tables import chains, workers
from claude_pool_gh.storage import Transaction, insert_once, one_at_a_time

_C = chains.c
ORDER = (_C.priority, _C.created_ms, _C.place, _C.id)
# Built once: see `chains`.
_NEXT = (
    sa.select(_C.id)
    .where(_C.state == ChainState.queued, _C.pool == sa.bindparam("of_pool"), _C.owner.is_(None))
    .order_by(*ORDER)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_CLAIM, _CLAIM_BELOW = (
    chains.update()
    # Whoever read of it before has a lower generation; on PostgreSQL the row is locked since it was found.
    .where(_C.id == found.scalar_subquery())
    .values(owner=sa.bindparam("by"), generation=_C.generation + 1)
    .returning(chains)
    for found in (_NEXT, _NEXT.where(_C.priority < sa.bindparam("below")))
)
_TAKE = chains.update().where(
    _C.id == sa.bindparam("wanted"),
    _C.generation == sa.bindparam("before"),
    _C.state.in_(ON_THE_WAY),
)
_TAKE_WAITING = _TAKE.where(_C.state == ChainState.queued, _C.owner.is_(None))


@dataclass(frozen=True, slots=True)
class Claim:
    """A chain taken up, and the generation that proves it."""

    chain_id: str
    generation: int
    priority: int = 0
    since: tuple[int, ...] = ()
    """Its place among those of its priority."""
    row: sa.Row[Any] | None = field(default=None, compare=False, repr=False)
    """Its row, as it is in this transaction, for `chains.claimed`."""


def claim(
    tx: Transaction,
    worker: str,
    *,
    pool: str = "main",
    at_most: int | None = None,
    below: int | None = None,
) -> Claim | None:
    """Take up the pool's next queued chain; None when there is none, or all its workers carry `at_most` already.

    `below`: only one whose priority number is lower than this.
    """
    if at_most is not None:
        one_at_a_time(tx, f"queue {pool}")
        if carried(tx, pool) >= at_most:
            return None
    own = {"of_pool": pool, "by": worker}
    if below is None:
        row = tx.execute(_CLAIM, own).one_or_none()
    else:
        row = tx.execute(_CLAIM_BELOW, {**own, "below": below}).one_or_none()
    if row is None:
        return None
    return Claim(row.id, row.generation, row.priority, (row.created_ms, row.place), row)


def take(tx: Transaction, chain_id: str, generation: int, worker: str) -> Claim | None:
    """Take up a chain of the generation with which it was found; None when somebody else did meanwhile."""
    return _take(tx, _TAKE, chain_id, generation, worker)


def take_waiting(tx: Transaction, chain_id: str, generation: int, worker: str) -> Claim | None:
    """As `take`, a chain that still waits to be taken up."""
    return _take(tx, _TAKE_WAITING, chain_id, generation, worker)


def _take(
    tx: Transaction, statement: sa.Update, chain_id: str, generation: int, worker: str
) -> Claim | None:
    own = {"wanted": chain_id, "before": generation, "owner": worker, "generation": generation + 1}
    if tx.execute(statement, own).rowcount != 1:
        return None
    return Claim(chain_id, generation + 1)


def release(tx: Transaction, chain_id: str, worker: str) -> None:
    """Give an unfinished chain back that this worker has taken up; whoever wants it may have it at once."""
    own = sa.and_(_C.id == chain_id, _C.owner == worker, _C.state.in_(ON_THE_WAY))
    tx.execute(chains.update().where(own).values(owner=None))


def orphans(
    tx: Transaction, alive: Collection[str], *, pool: str = "main"
) -> list[tuple[str, int]]:
    """Id and generation of the pool's unfinished chains whose carrier is not among the living, oldest first."""
    unfinished = sa.and_(_C.pool == pool, _C.state.in_(ON_THE_WAY))
    gone = sa.and_(_C.owner.is_not(None), _C.owner.not_in(list(alive)))
    # Running without an owner: only where somebody mended rows by hand, and then it must go on too.
    lost = sa.or_(gone, sa.and_(_C.owner.is_(None), _C.state == ChainState.running))
    rows = tx.execute(sa.select(_C.id, _C.generation).where(unfinished, lost).order_by(*ORDER))
    return [(row.id, row.generation) for row in rows]


def carried_by(tx: Transaction, worker: str) -> list[tuple[str, int]]:
    """Id and generation of the unfinished chains that a worker has taken up."""
    own = sa.and_(_C.owner == worker, _C.state.in_(ON_THE_WAY))
    return [
        (row.id, row.generation) for row in tx.execute(sa.select(_C.id, _C.generation).where(own))
    ]


def left(tx: Transaction, pool: str, worker: str, *, parked: bool) -> list[str]:
    """The pool's unfinished chains that no other worker carries, first of all the next; `parked`: those too."""
    states = OPEN if parked else ON_THE_WAY
    mine = sa.or_(_C.owner.is_(None), _C.owner == worker)
    return list(
        tx.execute(
            sa.select(_C.id).where(_C.pool == pool, _C.state.in_(states), mine).order_by(*ORDER)
        ).scalars()
    )


def carried(tx: Transaction, pool: str = "main") -> int:
    """The number of chains of the pool that are carried now, by all its workers."""
    busy = sa.and_(_C.pool == pool, _C.owner.is_not(None), _C.state.in_(ON_THE_WAY))
    return int(tx.execute(sa.select(sa.func.count()).select_from(chains).where(busy)).scalar_one())


def signals(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """Generation of each of these chains, and whether its cancel was asked for."""
    columns = (_C.id, _C.generation, _C.cancel_requested)
    rows = tx.execute(sa.select(*columns).where(_C.id.in_(list(chain_ids))))
    return {row.id: (row.generation, row.cancel_requested) for row in rows}


def overdue(
    tx: Transaction, now_ms: int, *, pool: str = "main", limit: int = 100
) -> list[tuple[str, int]]:
    """Id and generation of the pool's chains that nobody took up before their deadline."""
    late = sa.and_(
        _C.state == ChainState.queued, _C.pool == pool, _C.owner.is_(None), _C.deadline_ms < now_ms
    )
    rows = tx.execute(sa.select(_C.id, _C.generation).where(late).limit(limit))
    return [(row.id, row.generation) for row in rows]


def beat(tx: Transaction, worker: str, now_ms: int) -> None:
    """Show that this worker lives."""
    if not insert_once(tx, workers, {"id": worker, "started_ms": now_ms, "beat": 1}):
        beat_again(tx, worker)


def beat_again(tx: Transaction, worker: str) -> None:
    """Show that a worker lives still; one that has left, or was taken for dead, is no worker again by this."""
    tx.execute(workers.update().where(workers.c.id == worker).values(beat=workers.c.beat + 1))


def beats(tx: Transaction) -> dict[str, int]:
    """Every worker that did not leave, and how often it has shown itself."""
    return {row.id: row.beat for row in tx.execute(sa.select(workers.c.id, workers.c.beat))}


def leave(tx: Transaction, worker: str) -> None:
    """Forget a worker that is gone: it said so, or others saw it."""
    tx.execute(workers.delete().where(workers.c.id == worker))
