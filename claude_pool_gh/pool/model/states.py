"""The states of chains, steps, tasks and slots, the events that move them, and every legal move.

The tables at the end are the truth: `store.moves` writes what they list and nothing else. A
record's state is changed nowhere but there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from claude_pool_gh.pool.model.state_table import StateTable


class ChainState(StrEnum):
    """The state of a chain. `parked` is a row that waits for a person or for money, never a waiting process."""

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


class ChainEvent(StrEnum):
    """An event in the life of a chain."""

    begin = "begin"
    park = "park"
    """It waits for a person."""
    resume = "resume"
    """A person has decided: it queues again."""
    end = "end"


class StepState(StrEnum):
    """The state of a step. `skipped`: its condition did not hold."""

    pending = "pending"
    running = "running"
    pending_review = "pending_review"
    completed = "completed"
    skipped = "skipped"
    failed = "failed"
    cancelled = "cancelled"


class StepEvent(StrEnum):
    """An event in the life of a step."""

    begin = "begin"
    skip = "skip"
    """Its condition does not hold."""
    take_over = "take_over"
    """An earlier chain, which this one goes on with, had completed it."""
    complete = "complete"
    present = "present"
    """What came of it waits for a person's approval."""
    fail = "fail"
    cancel = "cancel"
    approve = "approve"
    reject = "reject"
    """It runs again, told why: a person has rejected what it presents, or what a later step's gate
    shows."""
    give_up = "give_up"
    """It was rejected once too often."""


class TaskState(StrEnum):
    """The state of one agent run."""

    pending = "pending"
    running = "running"
    pending_review = "pending_review"
    completed = "completed"
    failed = "failed"
    cancelled = "cancelled"


class TaskEvent(StrEnum):
    """An event in the life of a task."""

    begin = "begin"
    """Its next attempt starts on a slot."""
    take_over = "take_over"
    """An earlier chain, which this one goes on with, had completed it."""
    complete = "complete"
    present = "present"
    """It succeeded, and waits for a person's approval."""
    give_back = "give_back"
    """Its process died, or it may succeed when tried again."""
    fail = "fail"
    """Its run did, or its chain ended, or what came of it was rejected once too often."""
    cancel = "cancel"
    approve = "approve"
    reject = "reject"
    """It runs again, told why: a person has rejected what came of it."""


class SlotState(StrEnum):
    """The state of a slot.

    `errored`: its last run could not be carried out at all, and the supervisor may restart it.
    """

    idle = "idle"
    busy = "busy"
    errored = "errored"
    stopped = "stopped"


class SlotEvent(StrEnum):
    """An event in the life of a slot."""

    occupy = "occupy"
    """It begins a task."""
    vacate = "vacate"
    """Its task has ended."""
    break_ = "break"
    """Its task could not be carried out at all, and the slot is to blame."""
    restart = "restart"
    """Also of a busy one, that broke where the database could not be written."""
    stop = "stop"


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


CHAIN: Final = StateTable(
    "chain",
    ChainState.queued,
    {
        (ChainState.queued, ChainEvent.begin): ChainState.running,
        (ChainState.queued, ChainEvent.end): ChainState.done,
        (ChainState.running, ChainEvent.park): ChainState.parked,
        (ChainState.running, ChainEvent.end): ChainState.done,
        (ChainState.parked, ChainEvent.resume): ChainState.queued,
        (ChainState.parked, ChainEvent.end): ChainState.done,
    },
)

STEP: Final = StateTable(
    "step",
    StepState.pending,
    {
        (StepState.pending, StepEvent.begin): StepState.running,
        (StepState.pending, StepEvent.skip): StepState.skipped,
        (StepState.pending, StepEvent.take_over): StepState.completed,
        (StepState.pending, StepEvent.cancel): StepState.cancelled,
        (StepState.running, StepEvent.complete): StepState.completed,
        (StepState.running, StepEvent.present): StepState.pending_review,
        (StepState.running, StepEvent.fail): StepState.failed,
        (StepState.running, StepEvent.cancel): StepState.cancelled,
        (StepState.pending_review, StepEvent.approve): StepState.completed,
        (StepState.pending_review, StepEvent.reject): StepState.pending,
        (StepState.pending_review, StepEvent.give_up): StepState.failed,
        (StepState.pending_review, StepEvent.cancel): StepState.cancelled,
        (StepState.completed, StepEvent.reject): StepState.pending,
        (StepState.skipped, StepEvent.reject): StepState.pending,
    },
)

TASK: Final = StateTable(
    "task",
    TaskState.pending,
    {
        (TaskState.pending, TaskEvent.begin): TaskState.running,
        (TaskState.pending, TaskEvent.take_over): TaskState.completed,
        (TaskState.pending, TaskEvent.fail): TaskState.failed,
        (TaskState.pending, TaskEvent.cancel): TaskState.cancelled,
        (TaskState.running, TaskEvent.complete): TaskState.completed,
        (TaskState.running, TaskEvent.present): TaskState.pending_review,
        (TaskState.running, TaskEvent.give_back): TaskState.pending,
        (TaskState.running, TaskEvent.fail): TaskState.failed,
        (TaskState.running, TaskEvent.cancel): TaskState.cancelled,
        (TaskState.pending_review, TaskEvent.approve): TaskState.completed,
        (TaskState.pending_review, TaskEvent.reject): TaskState.pending,
        (TaskState.pending_review, TaskEvent.fail): TaskState.failed,
        (TaskState.pending_review, TaskEvent.cancel): TaskState.cancelled,
        (TaskState.completed, TaskEvent.reject): TaskState.pending,
        (TaskState.failed, TaskEvent.reject): TaskState.pending,
    },
)

SLOT: Final = StateTable(
    "slot",
    SlotState.idle,
    {
        (SlotState.idle, SlotEvent.occupy): SlotState.busy,
        (SlotState.idle, SlotEvent.stop): SlotState.stopped,
        (SlotState.busy, SlotEvent.vacate): SlotState.idle,
        (SlotState.busy, SlotEvent.break_): SlotState.errored,
        (SlotState.busy, SlotEvent.restart): SlotState.idle,
        (SlotState.busy, SlotEvent.stop): SlotState.stopped,
        (SlotState.errored, SlotEvent.restart): SlotState.idle,
        (SlotState.errored, SlotEvent.stop): SlotState.stopped,
        (SlotState.stopped, SlotEvent.stop): SlotState.stopped,
    },
)

TABLES: Final = (CHAIN, STEP, TASK, SLOT)
