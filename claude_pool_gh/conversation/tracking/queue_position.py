"""A chain's place in the line before the slots, as people read of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.pool.model.states import ON_THE_WAY, TaskState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.slot_queue import SlotQueue, read
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.reports.views import Place

__all__ = ["TOLD", "SlotQueue", "moves", "place", "read"]

TOLD: Final = 10
"""Chains whose place is kept up to date; those further back learn of it as they come nearer."""


def place(line: SlotQueue, chain: ChainRow) -> Place | None:
    """A chain's place; None where it does not wait in one, or nothing is busy and it starts at once."""
    if chain.state not in ON_THE_WAY or line.busy < line.count or chain.id not in line.waiting:
        return None
    return Place(line.waiting.index(chain.id) + 1, line.busy, line.count)


def moves(chain: ChainRow, runs: Sequence[TaskRow]) -> bool:
    """True where what has just changed of a chain may have moved the others' places: it came to rest or took a slot."""
    if chain.state not in ON_THE_WAY:
        return True
    return sum(task.state is TaskState.running for task in runs) == 1
