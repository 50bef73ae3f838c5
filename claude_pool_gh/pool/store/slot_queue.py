"""The line before the slots: which chains wait, in which order, and for how many slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ON_THE_WAY, ChainState, SlotState, TaskState
from claude_pool_gh.pool.store import queue
from claude_pool_gh.pool.store.tables import chains, slots, tasks
from claude_pool_gh.storage import Transaction

_MOST: Final = 200
_C: Final = chains.c
_OWN: Final = sa.select(tasks.c.id).where(tasks.c.chain_id == _C.id)
_RUNS: Final = _OWN.where(tasks.c.state == TaskState.running).exists()
_WAITS: Final = _OWN.where(tasks.c.state == TaskState.pending).exists()
# One that is in a step of the host's own waits for nobody.
_FIRST: Final = (
    sa.select(_C.id, sa.func.row_number().over(order_by=queue.ORDER).label("place"))
    .where(_C.state.in_(ON_THE_WAY), ~_RUNS, sa.or_(_WAITS, _C.state == ChainState.queued))
    .order_by(*queue.ORDER)
    .limit(_MOST)
    .subquery()
)
_LINE: Final = sa.union_all(
    sa.select(
        sa.cast(sa.literal_column("'slots'"), sa.String), slots.c.state, sa.func.count()
    ).group_by(slots.c.state),
    sa.select(sa.cast(sa.literal_column("'waits'"), sa.String), _FIRST.c.id, _FIRST.c.place),
)


@dataclass(frozen=True, slots=True)
class SlotQueue:
    """The line at one moment."""

    busy: int
    """Slots that are busy, of every worker."""
    count: int
    """Slots that there are."""
    waiting: tuple[str, ...]
    """The chains that wait for a slot, in the order in which they get one; at most the first 200."""


def read(tx: Transaction) -> SlotQueue:
    """The line as it is now, in one statement."""
    by_state: dict[str, int] = {}
    waiting: list[tuple[int, str]] = []
    for what, name, number in tx.execute(_LINE):
        if what == "slots":
            by_state[name] = int(number)
        else:
            waiting.append((int(number), name))
    count = sum(number for state, number in by_state.items() if state != SlotState.stopped)
    return SlotQueue(
        by_state.get(SlotState.busy, 0), count, tuple(name for _, name in sorted(waiting))
    )
