"""Chains, steps and tasks as records: making them, reading them, moving them along. No running here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool import ledger
from claude_pool_gh.pool.errors import UnknownChain
from claude_pool_gh.pool.ledger import Account, Caps
from claude_pool_gh.pool.outcomes import Outcome
from claude_pool_gh.pool.plan import AgentRun, Plan
from claude_pool_gh.pool.ports import AgentOutcome, Ending
from claude_pool_gh.pool.states import CHAIN_MOVES, TASK_MOVES, ChainState, TaskState, move
from claude_pool_gh.pool.tables import chains, steps, tasks
from claude_pool_gh.storage import Transaction, insert_once


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of a chain as stored."""

    id: str
    name: str
    state: TaskState
    result: Any
    started_ms: int | None
    ended_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """One agent run of a step as stored, without its transcript."""

    id: str
    step: str
    shard: int
    title: str
    state: TaskState
    attempt: int
    model: str
    slot: int | None
    outcome: Any
    started_ms: int | None
    ended_ms: int | None

    @property
    def run_id(self) -> str:
        """Names the attempt; money is reserved under it."""
        return f"{self.id}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainRecord:
    """A chain with its steps, as stored."""

    id: str
    state: ChainState
    parked_for: str | None
    outcome: Outcome | None
    plan: Plan
    account: Account
    caps: Caps
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    cancel_requested: bool
    generation: int
    steps: tuple[StepRecord, ...]

    @property
    def next_step(self) -> int | None:
        """Position of the first step without a result."""
        unfinished = (i for i, step in enumerate(self.steps) if step.state is not TaskState.completed)
        return next(unfinished, None)

    @property
    def results(self) -> dict[str, Any]:
        """Results of the finished steps by name."""
        return {step.name: step.result for step in self.steps if step.state is TaskState.completed}


def create(tx: Transaction, chain_id: str, plan: Plan, account: Account, caps: Caps, now_ms: int) -> bool:
    """Store a new chain, queued, with its steps and its money. False when the id exists: then nothing changed.

    Raises CapReached when its money cannot be set aside; the caller must then roll back.
    """
    values = {
        "id": chain_id,
        "state": ChainState.queued,
        "plan": plan.model_dump(mode="json"),
        "account_thread": account.thread,
        "account_user": account.user,
        "account_repository": account.repository,
        "caps": asdict(caps),
        "created_ms": now_ms,
        "cancel_requested": False,
        "generation": 0,
    }
    if not insert_once(tx, chains, values):
        return False
    ledger.reserve_chain(tx, chain_id, account, caps, now_ms)
    for position, step in enumerate(plan.steps):
        row = {"position": position, "name": step.name, "state": TaskState.pending, "chain_id": chain_id}
        tx.execute(steps.insert().values(id=f"{chain_id}.{step.name}", **row))
    return True


def get(tx: Transaction, chain_id: str) -> ChainRecord:
    """Read a chain. Raises UnknownChain."""
    row = tx.execute(sa.select(chains).where(chains.c.id == chain_id)).one_or_none()
    if row is None:
        raise UnknownChain(f"no chain has the id {chain_id!r}")
    found = tx.execute(sa.select(steps).where(steps.c.chain_id == chain_id).order_by(steps.c.position))
    return ChainRecord(
        id=row.id,
        state=ChainState(row.state),
        parked_for=row.parked_for,
        outcome=None if row.outcome is None else Outcome.model_validate(row.outcome),
        plan=Plan.model_validate(row.plan),
        account=Account(thread=row.account_thread, user=row.account_user, repository=row.account_repository),
        caps=Caps(**row.caps),
        created_ms=row.created_ms,
        started_ms=row.started_ms,
        ended_ms=row.ended_ms,
        cancel_requested=row.cancel_requested,
        generation=row.generation,
        steps=tuple(
            StepRecord(
                id=step.id, name=step.name, state=TaskState(step.state), result=step.result,
                started_ms=step.started_ms, ended_ms=step.ended_ms,
            )
            for step in found
        ),
    )  # fmt: skip


def unfinished(tx: Transaction) -> list[tuple[str, int]]:
    """Id and generation of every chain that should be running or waiting its turn, oldest first."""
    waiting = chains.c.state.in_([ChainState.queued, ChainState.running])
    rows = tx.execute(
        sa.select(chains.c.id, chains.c.generation).where(waiting).order_by(chains.c.created_ms)
    )
    return [(row.id, row.generation) for row in rows]


def next_generation(tx: Transaction, chain_id: str, old: int) -> bool:
    """Claim the next handing-over to the engine; False when somebody else did."""
    changed = chains.update().where(chains.c.id == chain_id, chains.c.generation == old)
    return tx.execute(changed.values(generation=old + 1)).rowcount == 1


def begin(tx: Transaction, chain: ChainRecord, now_ms: int) -> None:
    """A queued chain starts to run."""
    move(
        tx,
        chains,
        CHAIN_MOVES,
        chain.id,
        chain.state,
        ChainState.running,
        started_ms=chain.started_ms or now_ms,
    )


def finish(tx: Transaction, chain: ChainRecord, outcome: Outcome, now_ms: int) -> None:
    """Write the chain's one terminal state and close its reservation."""
    ledger.settle(tx, chain.id, now_ms)
    stored = outcome.model_dump(mode="json")
    move(tx, chains, CHAIN_MOVES, chain.id, chain.state, ChainState.done, outcome=stored, ended_ms=now_ms)


def begin_step(tx: Transaction, step: StepRecord, now_ms: int) -> None:
    """Mark a step as running; one that was running when its process died simply goes on."""
    if step.state is TaskState.pending:
        move(tx, steps, TASK_MOVES, step.id, step.state, TaskState.running, started_ms=now_ms)


def complete_step(tx: Transaction, step: StepRecord, result: Any, now_ms: int) -> None:
    """Store a step's result."""
    move(
        tx, steps, TASK_MOVES, step.id, TaskState.running, TaskState.completed, result=result, ended_ms=now_ms
    )


def fail_step(tx: Transaction, step: StepRecord, now_ms: int) -> None:
    """Mark a running step as failed."""
    move(tx, steps, TASK_MOVES, step.id, TaskState.running, TaskState.failed, ended_ms=now_ms)


def add_task(tx: Transaction, chain_id: str, step: AgentRun, shard: int, title: str, now_ms: int) -> None:
    """Store a pending task of a step, unless it is there already."""
    values = {
        "id": f"{chain_id}.{step.name}.{shard}",
        "chain_id": chain_id,
        "step": step.name,
        "shard": shard,
        "title": title,
        "state": TaskState.pending,
        "attempt": 0,
        "model": step.model,
        "created_ms": now_ms,
    }
    insert_once(tx, tasks, values)


def tasks_of(tx: Transaction, chain_id: str, step: str | None = None) -> list[TaskRecord]:
    """The tasks of a chain, or of one of its steps, in order."""
    columns = [c for c in tasks.c if c.name not in ("transcript", "chain_id", "created_ms")]
    statement = (
        sa.select(*columns).where(tasks.c.chain_id == chain_id).order_by(tasks.c.created_ms, tasks.c.shard)
    )
    if step is not None:
        statement = statement.where(tasks.c.step == step)
    return [_task(row) for row in tx.execute(statement)]


def transcript(tx: Transaction, task_id: str) -> list[Any]:
    """What happened in a task's last attempt, redacted, oldest first."""
    found = tx.execute(sa.select(tasks.c.transcript).where(tasks.c.id == task_id)).scalar_one_or_none()
    return list(found or [])


def begin_task(tx: Transaction, task: TaskRecord, slot: int, now_ms: int) -> TaskRecord:
    """A pending task starts its next attempt on a slot."""
    also = {"attempt": task.attempt + 1, "slot": slot, "started_ms": now_ms, "ended_ms": None}
    move(tx, tasks, TASK_MOVES, task.id, TaskState.pending, TaskState.running, **also)
    return _task(tx.execute(sa.select(tasks).where(tasks.c.id == task.id)).one())


def return_task(tx: Transaction, task: TaskRecord, now_ms: int) -> None:
    """A running task goes back to pending: its process died, or it may succeed when tried again."""
    if task.attempt:
        ledger.settle(tx, task.run_id, now_ms)
    move(tx, tasks, TASK_MOVES, task.id, TaskState.running, TaskState.pending, slot=None)


def end_task(tx: Transaction, task: TaskRecord, outcome: AgentOutcome, now_ms: int) -> None:
    """Write a task's one terminal state with its outcome and transcript, and close its reservation."""
    ledger.settle(tx, task.run_id, now_ms)
    match outcome.ending:
        case Ending.completed:
            state = TaskState.completed
        case Ending.cancelled:
            state = TaskState.cancelled
        case _:
            state = TaskState.failed
    stored = {
        "ending": outcome.ending,
        "reason": outcome.reason,
        "text": outcome.text,
        "structured": outcome.structured,
        "turns": outcome.turns,
        "elapsed_ms": outcome.elapsed_ms,
        "looked_at": outcome.looked_at,
    }
    also = {"outcome": stored, "transcript": list(outcome.transcript), "slot": None, "ended_ms": now_ms}
    move(tx, tasks, TASK_MOVES, task.id, TaskState.running, state, **also)


def _task(row: sa.Row[Any]) -> TaskRecord:
    return TaskRecord(
        id=row.id, step=row.step, shard=row.shard, title=row.title, state=TaskState(row.state),
        attempt=row.attempt, model=row.model, slot=row.slot, outcome=row.outcome,
        started_ms=row.started_ms, ended_ms=row.ended_ms,
    )  # fmt: skip
