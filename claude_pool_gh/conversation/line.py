"""The line before the slots: which chain waits, behind how many, and why."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool import queue
from claude_pool_gh.pool.chains import ChainRow
from claude_pool_gh.pool.states import ON_THE_WAY, ChainState, SlotState, TaskState
from claude_pool_gh.pool.tables import chains, slots, tasks
from claude_pool_gh.reports.views import Place
from claude_pool_gh.storage import Transaction

TOLD: Final = 10
"""Chains whose place is kept up to date; those further back learn of it as they come nearer."""

_C: Final = chains.c


def waiting(tx: Transaction) -> list[str]:
    """The chains that wait for a slot, in the order in which they get one."""
    running = (
        sa.select(tasks.c.id).where(tasks.c.chain_id == _C.id, tasks.c.state == TaskState.running).exists()
    )
    pending = (
        sa.select(tasks.c.id).where(tasks.c.chain_id == _C.id, tasks.c.state == TaskState.pending).exists()
    )
    # One that is in a step of the host's own waits for nobody.
    waits = sa.and_(_C.state.in_(ON_THE_WAY), ~running, sa.or_(pending, _C.state == ChainState.queued))
    return list(tx.execute(sa.select(_C.id).where(waits).order_by(*queue.ORDER).limit(200)).scalars())


def place(tx: Transaction, chain: ChainRow) -> Place | None:
    """A chain's place in the line; None where it does not wait in one, or nothing is busy and it starts at once."""
    if chain.state not in ON_THE_WAY:
        return None
    busy, count = slots_of(tx)
    if busy < count:
        return None
    line = waiting(tx)
    return Place(line.index(chain.id) + 1, busy, count) if chain.id in line else None


def moves(tx: Transaction, chain: ChainRow) -> bool:
    """Whether what has just changed of a chain may have moved the others' places: it came to rest or took a slot."""
    if chain.state not in ON_THE_WAY:
        return True
    count = sa.select(sa.func.count()).select_from(tasks)
    own = tx.execute(
        count.where(tasks.c.chain_id == chain.id, tasks.c.state == TaskState.running)
    ).scalar_one()
    return own == 1


def slots_of(tx: Transaction) -> tuple[int, int]:
    """How many slots are busy, and how many there are, of every worker."""
    rows = tx.execute(sa.select(slots.c.state, sa.func.count()).group_by(slots.c.state))
    by_state = {state: int(number) for state, number in rows}
    count = sum(number for state, number in by_state.items() if state != SlotState.stopped)
    return by_state.get(SlotState.busy, 0), count
