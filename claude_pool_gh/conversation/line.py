"""The line before the slots: which chain waits, behind how many, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ON_THE_WAY, ChainState, SlotState, TaskState
from claude_pool_gh.pool.store import queue
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tables import chains, slots, tasks
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.views import Place
from claude_pool_gh.storage import Transaction

TOLD: Final = 10
"""Chains whose place is kept up to date; those further back learn of it as they come nearer."""

_C: Final = chains.c


_running = sa.select(tasks.c.id).where(tasks.c.chain_id == _C.id, tasks.c.state == TaskState.running).exists()
_pending = sa.select(tasks.c.id).where(tasks.c.chain_id == _C.id, tasks.c.state == TaskState.pending).exists()
# One that is in a step of the host's own waits for nobody.
_WAITING: Final = (
    sa.select(_C.id, sa.func.row_number().over(order_by=queue.ORDER).label("place"))
    .where(_C.state.in_(ON_THE_WAY), ~_running, sa.or_(_pending, _C.state == ChainState.queued))
    .order_by(*queue.ORDER)
    .limit(200)
)
_first: Final = _WAITING.subquery()
_LINE: Final = sa.union_all(
    sa.select(sa.cast(sa.literal_column("'slots'"), sa.String), slots.c.state, sa.func.count()).group_by(
        slots.c.state
    ),
    sa.select(sa.cast(sa.literal_column("'waits'"), sa.String), _first.c.id, _first.c.place),
)


@dataclass(frozen=True, slots=True)
class Line:
    """The line at one moment."""

    busy: int
    """Slots that are busy, of every worker."""
    count: int
    """Slots that there are."""
    waiting: tuple[str, ...]
    """The chains that wait for a slot, in the order in which they get one."""

    def place(self, chain: ChainRow) -> Place | None:
        """A chain's place; None where it does not wait in one, or nothing is busy and it starts at once."""
        if chain.state not in ON_THE_WAY or self.busy < self.count or chain.id not in self.waiting:
            return None
        return Place(self.waiting.index(chain.id) + 1, self.busy, self.count)


def read(tx: Transaction) -> Line:
    """The line as it is now, in one statement."""
    by_state: dict[str, int] = {}
    waiting: list[tuple[int, str]] = []
    for what, name, number in tx.execute(_LINE):
        if what == "slots":
            by_state[name] = int(number)
        else:
            waiting.append((int(number), name))
    count = sum(number for state, number in by_state.items() if state != SlotState.stopped)
    return Line(by_state.get(SlotState.busy, 0), count, tuple(name for _, name in sorted(waiting)))


def moves(chain: ChainRow, runs: Sequence[TaskRow]) -> bool:
    """Whether what has just changed of a chain may have moved the others' places: it came to rest or took a slot."""
    if chain.state not in ON_THE_WAY:
        return True
    return sum(task.state is TaskState.running for task in runs) == 1
