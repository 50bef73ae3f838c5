"""Steps of chains as records: moving them along. No running here."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.pool.model.states import STEP, StepEvent, StepState, TaskEvent
from claude_pool_gh.pool.model.texts import storable
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.pool.store.chains import ChainRow, StepRow, StepWork
from claude_pool_gh.pool.store.moves import move
from claude_pool_gh.storage import Transaction


def begin(tx: Transaction, step: StepRow, now_ms: int) -> None:
    """Mark a step as running; one that was running when its process died simply goes on."""
    if step.state is StepState.pending:
        move(tx, STEP, step.id, step.state, StepEvent.begin, started_ms=now_ms)


def complete(
    tx: Transaction, step: StepRow, result: Any, now_ms: int, work: StepWork | None = None
) -> None:
    """Store a step's result, and where the files stand after it."""
    also = {"result": storable(result), "ended_ms": now_ms, "work": work}
    move(tx, STEP, step.id, StepState.running, StepEvent.complete, **also)


def fail(tx: Transaction, step: StepRow, now_ms: int, result: Any = None) -> None:
    """Mark a running step as failed, with whatever of it succeeded."""
    also = {"result": storable(result), "ended_ms": now_ms}
    move(tx, STEP, step.id, StepState.running, StepEvent.fail, **also)


def skip(tx: Transaction, step: StepRow, now_ms: int) -> None:
    """Pass over a step whose condition does not hold."""
    move(tx, STEP, step.id, StepState.pending, StepEvent.skip, ended_ms=now_ms)


def present(tx: Transaction, step: StepRow, result: Any, work: StepWork | None = None) -> None:
    """Lay a step's result before a person: it counts as completed once approved."""
    also = {"result": storable(result), "work": work}
    move(tx, STEP, step.id, StepState.running, StepEvent.present, **also)


def approve(tx: Transaction, step: StepRow, chain_id: str, now_ms: int) -> None:
    """A person has approved what the step did."""
    tasks.decide(tx, chain_id, step.name, TaskEvent.approve)
    move(tx, STEP, step.id, StepState.pending_review, StepEvent.approve, ended_ms=now_ms)


def reject(
    tx: Transaction, step: StepRow, chain_id: str, feedback: str, now_ms: int, *, last: bool
) -> None:
    """A person has rejected what the step did: it runs again with all feedback so far, or, at the last, has failed."""
    also: dict[str, Any] = {"rejections": [*step.rejections, feedback]}
    if last:
        tasks.decide(tx, chain_id, step.name, TaskEvent.fail)
        also |= {"ended_ms": now_ms}
        move(tx, STEP, step.id, StepState.pending_review, StepEvent.give_up, **also)
        return
    tasks.decide(tx, chain_id, step.name, TaskEvent.reject)
    also |= {"result": None, "work": None}
    move(tx, STEP, step.id, StepState.pending_review, StepEvent.reject, **also)


def send_back(tx: Transaction, chain: ChainRow, first: str, gate: StepRow, feedback: str) -> None:
    """A person has rejected what a gate shows: everything from step `first` to the gate runs again."""
    names = [step.name for step in chain.steps]
    for step in chain.steps[names.index(first) : names.index(gate.name) + 1]:
        tasks.decide(tx, chain.id, step.name, TaskEvent.reject)
        tasks.reopen(tx, chain.id, step.name)
        also: dict[str, Any] = {"result": None, "work": None, "started_ms": None, "ended_ms": None}
        if step.name == first:
            also["rejections"] = [*step.rejections, feedback]
        move(tx, STEP, step.id, step.state, StepEvent.reject, **also)
