"""The events of a pool, as a stream of values: a closed union, so that a `match` over it can be complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.plan import ALONE
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.states import ChainState, Move, StepState, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainQueued:
    """A chain was submitted, or goes on after a decision. A lone task is a chain of one step under its own id."""

    chain_id: ChainId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStarted:
    """A chain runs, for the first time or again."""

    chain_id: ChainId


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainParked:
    """A chain waits for somebody."""

    chain_id: ChainId
    waits_for: str
    """As `ChainProgress.waits_for`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFinished:
    """A chain has ended; `Pool.chain_result`, or `Pool.result` for a lone task, has all of it."""

    chain_id: ChainId
    verdict: str
    """As `ChainResult.verdict`."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A chain's step has begun."""

    chain_id: ChainId
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A chain's step has ended, or was passed over."""

    chain_id: ChainId
    step: str
    state: StepState
    """`completed`, `failed`, `skipped` or `cancelled`; `completed` also where the chain went on without a success."""
    success: bool
    """Whether every task of it succeeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted:
    """An attempt of a task has begun."""

    chain_id: ChainId
    step: str
    task_id: TaskId
    attempt: int
    slot_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished:
    """An attempt of a task has ended."""

    chain_id: ChainId
    step: str
    task_id: TaskId
    ending: Ending
    reason: str
    again: bool
    """Whether another attempt follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialOutput:
    """An agent has said more."""

    chain_id: ChainId
    step: str
    task_id: TaskId
    text: str
    """All that it has said so far in this attempt, at most the newest 20,000 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """The subscriber was too slow: so many events that came before the next one are gone."""

    count: int


Event = (
    ChainQueued
    | ChainStarted
    | ChainParked
    | ChainFinished
    | StepStarted
    | StepFinished
    | TaskStarted
    | TaskFinished
    | PartialOutput
    | Missed
)


def event_of(move: Move) -> Event | None:
    """The event that a record's move is; None for one that nobody is told of. Pure."""
    chain_id = ChainId(move.key.partition(".")[0])
    match move.table:
        case "chains":
            return _of_chain(chain_id, move)
        case "steps":
            return _of_step(chain_id, move.key.partition(".")[2], move)
        case "tasks":
            return _of_task(chain_id, step_of(TaskId(move.key)), move)
        case _:
            return None


def step_of(task_id: TaskId) -> str:
    """The step that a task's id names."""
    return task_id.partition(".")[2].rpartition(".")[0] or ALONE


def _of_chain(chain_id: ChainId, move: Move) -> Event | None:
    match ChainState(move.new):
        case ChainState.queued:
            return ChainQueued(chain_id=chain_id)
        case ChainState.running:
            return ChainStarted(chain_id=chain_id)
        case ChainState.parked:
            return ChainParked(chain_id=chain_id, waits_for=str(move.also.get("parked_for") or ""))
        case ChainState.done:
            outcome = move.also.get("outcome") or {}
            verdict, reason = str(outcome.get("verdict", "")), str(outcome.get("reason", ""))
            return ChainFinished(chain_id=chain_id, verdict=verdict, reason=reason)


def _of_step(chain_id: ChainId, step: str, move: Move) -> Event | None:
    match StepState(move.new):
        case StepState.running:
            return StepStarted(chain_id=chain_id, step=step)
        case (
            StepState.completed
            | StepState.failed
            | StepState.skipped
            | StepState.cancelled as state
        ):
            success = state is StepState.completed and _all_completed(move.also.get("result"))
            return StepFinished(chain_id=chain_id, step=step, state=state, success=success)
        case StepState.pending | StepState.pending_review:
            return None


def _of_task(chain_id: ChainId, step: str, move: Move) -> Event | None:
    task_id = TaskId(move.key)
    match TaskState(move.new), TaskState(move.old):
        case TaskState.running, _:
            attempt, slot = int(move.also.get("attempt") or 0), str(move.also.get("slot") or "")
            return TaskStarted(
                chain_id=chain_id, step=step, task_id=task_id, attempt=attempt, slot_id=slot
            )
        case (TaskState.pending, TaskState.running) if not move.also.get("outcome"):
            return None  # its process died: nothing is known of that attempt
        case (TaskState.pending, TaskState.running) | (_, TaskState.running | TaskState.pending):
            outcome: Mapping[str, Any] = move.also.get("outcome") or {}
            return TaskFinished(
                chain_id=chain_id,
                step=step,
                task_id=task_id,
                ending=Ending(outcome.get("ending", Ending.cancelled)),
                reason=str(outcome.get("reason", "")),
                again=move.new == TaskState.pending,
            )
        case _:  # a person's decision about what is finished
            return None


def _all_completed(result: Any) -> bool:
    """True where no task of a step failed. A host's result is another thing, and one that was approved is not here."""
    runs = [run for run in result if isinstance(run, dict)] if isinstance(result, list) else []
    return all(run.get("ending", Ending.completed) == Ending.completed for run in runs)
