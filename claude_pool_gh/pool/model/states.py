"""The states of chains, steps, tasks and slots, and every legal move between them.

The tables are the truth: `move` refuses what they do not list, and each change is a compare-and-set in the
database, so two writers can never both believe they moved a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.storage import Transaction


class ChainState(StrEnum):
    """Where a chain is. `parked` is a row that waits for a person or for money, never a waiting process."""

    queued = "queued"
    running = "running"
    parked = "parked"
    done = "done"


ON_THE_WAY: Final = (ChainState.queued, ChainState.running)
"""Somebody carries such a chain, or soon will."""
OPEN: Final = (*ON_THE_WAY, ChainState.parked)
"""Not done."""
APPROVAL: Final = "approval"
"""What a parked chain waits for: somebody's decision about a step's result."""
RESTART: Final = "restart"
"""Or somebody's word that it may spend again on a run whose process died."""


class StepState(StrEnum):
    """Where a step is. `skipped`: its condition did not hold."""

    pending = "pending"
    running = "running"
    pending_review = "pending_review"
    completed = "completed"
    skipped = "skipped"
    failed = "failed"
    cancelled = "cancelled"


class TaskState(StrEnum):
    """Where one agent run is."""

    pending = "pending"
    running = "running"
    pending_review = "pending_review"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class SlotState(StrEnum):
    """Where a slot is. `errored`: its last run could not be carried out at all, and the supervisor may restart it."""

    idle = "idle"
    busy = "busy"
    errored = "errored"
    stopped = "stopped"


@dataclass(frozen=True, slots=True)
class Move:
    """A record's move, as it was written."""

    table: str
    key: str
    old: str
    new: str
    also: Mapping[str, Any]


_NOTED: Final[ContextVar[list[Move] | None]] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[list[Move]]:
    """Note every move in the block, which is one thread's work for one transaction."""
    noted: list[Move] = []
    token = _NOTED.set(noted)
    try:
        yield noted
    finally:
        _NOTED.reset(token)


def note(table: str, key: str, old: str, new: str, also: Mapping[str, Any]) -> None:
    """A record has moved, or was made."""
    if (noted := _NOTED.get()) is not None:
        noted.append(Move(table, key, old, new, also))


Moves = Mapping[str, frozenset[str]]

CHAIN_MOVES: Final[Moves] = {
    "queued": frozenset({"running", "done"}),
    "running": frozenset({"done", "parked", "queued"}),
    "parked": frozenset({"queued", "done"}),
    "done": frozenset(),
}

TASK_MOVES: Final[Moves] = {
    "pending": frozenset({"running", "cancelled", "failed"}),
    # back to pending: the process died under a running task, which starts again as a new attempt
    "running": frozenset({"completed", "failed", "cancelled", "pending_review", "pending"}),
    "pending_review": frozenset({"completed", "pending", "failed", "cancelled"}),
    # back to pending: a person has rejected what came of it at a later step's gate
    "completed": frozenset({"pending"}),
    "failed": frozenset({"pending"}),
    "cancelled": frozenset(),
}

STEP_MOVES: Final[Moves] = {
    "pending": frozenset({"running", "skipped", "cancelled"}),
    "running": frozenset({"completed", "failed", "cancelled", "pending_review"}),
    "pending_review": frozenset({"completed", "pending", "failed", "cancelled"}),
    # back to pending: a person has rejected what came of it at a later step's gate
    "completed": frozenset({"pending"}),
    "skipped": frozenset({"pending"}),
    "failed": frozenset(),
    "cancelled": frozenset(),
}

SLOT_MOVES: Final[Moves] = {
    "idle": frozenset({"busy", "errored", "stopped"}),
    "busy": frozenset({"idle", "errored", "stopped"}),
    "errored": frozenset({"idle", "stopped"}),
    "stopped": frozenset(),
}


def move(tx: Transaction, table: sa.Table, moves: Moves, key: str, old: str, new: str, **also: Any) -> None:
    """Take the record `key` from `old` to `new`, setting the columns in `also` with it.

    Raises IllegalTransition when the table of moves forbids it or the record is not in `old` any more.
    """
    move_by(tx, moving(table), table, moves, key, old, new, **also)


def move_by(
    tx: Transaction, by: sa.Update, table: sa.Table, moves: Moves, key: str, old: str, new: str, **also: Any
) -> None:
    """As `move`, by a statement made of `moving` that counts from what is there; `also`: its parameters."""
    if not _moved(tx, by, table, moves, key, old, new, also):
        raise IllegalTransition(f"{table.name} {key}, which is not {old},", old, new)
    note(table.name, key, old, new, also)


def moved(tx: Transaction, table: sa.Table, moves: Moves, key: str, old: str, new: str, **also: Any) -> bool:
    """As `move`; False where the record is not in `old`, and then nothing has changed."""
    return _moved(tx, moving(table), table, moves, key, old, new, also)


@cache
def moving(table: sa.Table) -> sa.Update:
    """The statement that moves a record of a table."""
    return table.update().where(
        table.c.id == sa.bindparam("of_key"), table.c.state == sa.bindparam("from_state")
    )


def _moved(
    tx: Transaction,
    by: sa.Update,
    table: sa.Table,
    moves: Moves,
    key: str,
    old: str,
    new: str,
    also: Mapping[str, Any],
) -> bool:
    if new not in moves[old]:
        raise IllegalTransition(f"{table.name} {key}", old, new)
    changed = tx.execute(by, {"of_key": key, "from_state": old, "state": new, **also})
    return bool(changed.rowcount == 1)
