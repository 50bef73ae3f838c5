"""Tasks as records: one row for each agent run of a step, with its attempts. No running here."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import UnknownTask
from claude_pool_gh.pool.model.ports import AgentOutcome, CapturedChange, Ending
from claude_pool_gh.pool.model.states import TASK, TaskEvent, TaskState
from claude_pool_gh.pool.model.texts import cleaned, storable
from claude_pool_gh.pool.store import ledger, packed_tasks
from claude_pool_gh.pool.store.moves import move, moved
from claude_pool_gh.pool.store.tables import patches, tasks
from claude_pool_gh.storage import Transaction, insert_once

_LIGHT = tuple(column for column in tasks.c if column.name != "transcript")
# Built once: see `chains`.
_WANTED: sa.BindParameter[str] = sa.bindparam("wanted")
_TASK = sa.select(*_LIGHT).where(tasks.c.id == _WANTED)
_TASKS = sa.select(*_LIGHT).where(tasks.c.id.in_(sa.bindparam("several", expanding=True)))
_OF_CHAIN = (
    sa.select(*_LIGHT)
    .where(tasks.c.chain_id == _WANTED)
    .order_by(tasks.c.created_ms, tasks.c.shard)
)
_OF_CHAINS = (
    sa.select(*_LIGHT)
    .where(tasks.c.chain_id.in_(sa.bindparam("several", expanding=True)))
    .order_by(tasks.c.created_ms, tasks.c.shard)
)
_OF_STEP = _OF_CHAIN.where(tasks.c.step == sa.bindparam("of_step"))
_SESSION = sa.select(tasks.c.id).where(tasks.c.session_id == _WANTED).limit(1)
_WORK = sa.select(patches).where(patches.c.run_id == _WANTED)
_COMMITS = sa.select(patches.c.run_id, patches.c.commit).where(
    patches.c.run_id.in_(sa.bindparam("wanted", expanding=True))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One agent run of a step as stored, without its transcript."""

    id: str
    chain_id: str
    step: str
    shard: int
    title: str
    state: TaskState
    attempt: int
    model: str
    slot: str | None
    outcome: Any
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    prompt: str | None = None
    """What the last attempt was sent; None before the first."""
    asked: str | None = None
    """The same without feedback and errors of earlier attempts; None where it had none."""

    @property
    def run_id(self) -> str:
        """Names the attempt; money is reserved under it."""
        return f"{self.id}.{self.attempt}"

    @property
    def next_run_id(self) -> str:
        """Names the attempt that comes next."""
        return f"{self.id}.{self.attempt + 1}"


_FIELDS = tuple(each.name for each in fields(TaskRow))


def add(
    tx: Transaction, task_id: str, chain_id: str, step: str, shard: int, title: str, now_ms: int
) -> bool:
    """Store a pending task of a step, unless it is there already. True when this call made it."""
    values = {
        "id": task_id,
        "chain_id": chain_id,
        "step": step,
        "shard": shard,
        "title": cleaned(title),
        "state": TASK.first,
        "attempt": 0,
        "model": "",
        "created_ms": now_ms,
    }
    return insert_once(tx, tasks, values)


def fresh(task_id: str, chain_id: str, step: str, shard: int, title: str, now_ms: int) -> TaskRow:
    """The row that `add` has just made."""
    return TaskRow(
        id=task_id,
        chain_id=chain_id,
        step=step,
        shard=shard,
        title=cleaned(title),
        state=TaskState.pending,
        attempt=0,
        model="",
        slot=None,
        outcome=None,
        created_ms=now_ms,
        started_ms=None,
        ended_ms=None,
    )


def get(tx: Transaction, task_id: str) -> TaskRow:
    """Read one task. Raises UnknownTask."""
    row = tx.execute(_TASK, {"wanted": task_id}).one_or_none()
    if row is None:
        raise UnknownTask(f"no task has the id {task_id!r}")
    return _row(row)


def several(tx: Transaction, task_ids: Iterable[str]) -> dict[str, TaskRow]:
    """Read these tasks. What is not there is left out."""
    return {row.id: _row(row) for row in tx.execute(_TASKS, {"several": list(task_ids)})}


def of_chain(tx: Transaction, chain_id: str, step: str | None = None) -> list[TaskRow]:
    """The tasks of a chain, or of one of its steps, in order."""
    rows = tx.execute(_OF_STEP if step else _OF_CHAIN, {"wanted": chain_id, "of_step": step})
    found = [_row(row) for row in rows]
    return found or [task for task in _packed(tx, [chain_id]) if step in (None, task.step)]


def of_chains(
    tx: Transaction, chain_ids: Iterable[str], under_way: Container[str] = ()
) -> dict[str, list[TaskRow]]:
    """The tasks of each of these chains, in order. `under_way`: those that are known to have trimmed none."""
    found: dict[str, list[TaskRow]] = {chain_id: [] for chain_id in chain_ids}
    for row in tx.execute(_OF_CHAINS, {"several": list(found)}):
        found[row.chain_id].append(_row(row))
    without = [each for each, own in found.items() if not own and each not in under_way]
    for task in _packed(tx, without):
        found[task.chain_id].append(task)
    return found


def transcript(tx: Transaction, task_id: str) -> list[Any]:
    """The transcript of a task's last attempt, redacted, oldest first."""
    found = tx.execute(
        sa.select(tasks.c.transcript).where(tasks.c.id == task_id)
    ).scalar_one_or_none()
    return list(found or [])


def has_session(tx: Transaction, session_id: str) -> bool:
    """True where a task has left a conversation under this id."""
    return tx.execute(_SESSION, {"wanted": session_id}).first() is not None


def begin(
    tx: Transaction,
    task: TaskRow,
    slot: str,
    model: str,
    now_ms: int,
    *,
    prompt: str = "",
    asked: str = "",
) -> TaskRow:
    """A pending task starts its next attempt on a slot. `asked`: the prompt without what earlier attempts added."""
    also: dict[str, Any] = {"attempt": task.attempt + 1, "slot": slot, "model": model}
    also |= {"started_ms": now_ms, "ended_ms": None}
    prompt, asked = cleaned(prompt), cleaned(asked)
    also |= {"prompt": prompt, "asked": None if asked == prompt else asked}
    begun = move(tx, TASK, task.id, TaskState.pending, TaskEvent.begin, **also)
    return replace(task, state=begun, **also)


def keep(
    tx: Transaction, task: TaskRow, outcome: AgentOutcome, work: CapturedChange | None, now_ms: int
) -> None:
    """Store what an attempt changed, and book what its agent says that it cost besides what was reserved on the way."""
    if work is not None:
        keep_work(tx, task.run_id, task.chain_id, work, now_ms)
    if outcome.cost_microdollars > 0:
        ledger.book(
            tx, f"{task.run_id}.cost", task.run_id, task.model, outcome.cost_microdollars, now_ms
        )


def give_back(
    tx: Transaction, task: TaskRow, now_ms: int, outcome: AgentOutcome | None = None
) -> int:
    """A running task goes back to pending: its process died, or it may succeed when tried again.

    Returns what its attempt has cost.
    """
    cost = ledger.settle(tx, task.run_id, now_ms) if task.attempt else 0
    kept = {} if outcome is None else _learned(outcome)
    move(tx, TASK, task.id, TaskState.running, TaskEvent.give_back, slot=None, **kept)
    return cost


def end(
    tx: Transaction, task: TaskRow, outcome: AgentOutcome, now_ms: int, *, review: bool = False
) -> int:
    """Write how a running task ended, with its outcome and transcript, close its reservation, and return its cost.

    `review`: a success waits for a person's approval before it counts as completed. The cost is the last attempt's.
    """
    return end_and_tell(tx, task, outcome, now_ms, review=review)[0]


def end_and_tell(
    tx: Transaction, task: TaskRow, outcome: AgentOutcome, now_ms: int, *, review: bool = False
) -> tuple[int, TaskRow]:
    """As `end`; also returns the task as it is then."""
    cost = ledger.settle(tx, task.run_id, now_ms)
    also = _learned(outcome) | {"ended_ms": now_ms}
    state = move(tx, TASK, task.id, TaskState.running, _end_of(outcome, review=review), **also)
    ended = replace(
        task,
        state=state,
        outcome=also["outcome"],
        model=also.get("model", task.model),
        ended_ms=now_ms,
    )
    return cost, ended


def end_unstarted(tx: Transaction, task: TaskRow, outcome: AgentOutcome, now_ms: int) -> None:
    """Write how a task ended that never got its slot or its money."""
    event = TaskEvent.cancel if outcome.ending is Ending.cancelled else TaskEvent.fail
    also = {"outcome": _stored_over(task, outcome), "ended_ms": now_ms}
    move(tx, TASK, task.id, task.state, event, **also)


def decide(tx: Transaction, chain_id: str, step: str, event: TaskEvent) -> None:
    """Let a decision happen to every task of a step that waits for one."""
    for task in of_chain(tx, chain_id, step):
        if task.state is TaskState.pending_review:
            move(tx, TASK, task.id, task.state, event)


def reopen(tx: Transaction, chain_id: str, step: str) -> None:
    """Let every finished task of a step run again: what came of it was rejected."""
    for task in of_chain(tx, chain_id, step):
        if task.state in (TaskState.completed, TaskState.failed):
            move(tx, TASK, task.id, task.state, TaskEvent.reject)


def take_over(tx: Transaction, old: TaskRow, task_id: str, chain_id: str, now_ms: int) -> None:
    """Store a task of another chain's as this chain's own.

    A completed one is completed here too, and has cost nothing here. Any other one is to be run, and is told how the
    earlier attempt ended.
    """
    add(tx, task_id, chain_id, old.step, old.shard, old.title, now_ms)
    also: dict[str, Any] = {
        "outcome": old.outcome,
        "session_id": (old.outcome or {}).get("session_id"),
    }
    if old.state is TaskState.completed:
        also |= {"model": old.model, "started_ms": now_ms, "ended_ms": now_ms}
        moved(tx, TASK, task_id, TaskState.pending, TaskEvent.take_over, **also)
        return
    tx.execute(tasks.update().where(tasks.c.id == task_id).values(**also))


def end_open(
    tx: Transaction,
    chain_id: str,
    now_ms: int,
    *,
    failed: str | None = None,
    ending: Ending = Ending.failed,
) -> None:
    """End whatever of a chain has not ended, and close its money: as cancelled or, with the reason, as failed.

    `ending`: why those failed.
    """
    event = TaskEvent.cancel if failed is None else TaskEvent.fail
    outcome = AgentOutcome(
        ending=Ending.cancelled if failed is None else ending, reason=failed or ""
    )
    for task in of_chain(tx, chain_id):
        if task.state in (TaskState.pending, TaskState.running, TaskState.pending_review):
            if task.state is TaskState.running:
                ledger.settle(tx, task.run_id, now_ms)
            handed_in = task.state is TaskState.pending_review
            also: dict[str, Any] = {} if handed_in else {"outcome": _stored_over(task, outcome)}
            move(tx, TASK, task.id, task.state, event, ended_ms=now_ms, **also)


def keep_work(
    tx: Transaction, run_id: str, chain_id: str, work: CapturedChange, now_ms: int
) -> None:
    """Store what a run changed, as a patch against its base."""
    values = {
        "run_id": run_id,
        "chain_id": chain_id,
        "base": work.base,
        "commit": work.commit,
        "digest": work.digest,
        "patch": work.patch,
        "created_ms": now_ms,
    }
    insert_once(tx, patches, values)


def kept_work(tx: Transaction, run_id: str) -> CapturedChange | None:
    """The changes of a run, if it made any."""
    row = tx.execute(_WORK, {"wanted": run_id}).one_or_none()
    if row is None:
        return None
    return CapturedChange(
        base=row.base, commit=row.commit, patch=bytes(row.patch), digest=row.digest
    )


def works_of(tx: Transaction, run_ids: Iterable[str]) -> dict[str, str]:
    """The commits that these runs left, by run."""
    wanted = list(run_ids)
    found = tx.execute(_COMMITS, {"wanted": wanted}) if wanted else ()
    return {row.run_id: row.commit for row in found}


def _end_of(outcome: AgentOutcome, *, review: bool) -> TaskEvent:
    match outcome.ending:
        case Ending.completed:
            return TaskEvent.present if review else TaskEvent.complete
        case Ending.cancelled:
            return TaskEvent.cancel
        case _:
            return TaskEvent.fail


def _learned(outcome: AgentOutcome) -> dict[str, Any]:
    """The fields that the row gets from a run that has ended.

    Which model was asked for is no matter once another answered.
    """
    answered = {"model": cleaned(outcome.model)} if outcome.model else {}
    stored = _stored(outcome)
    learned = {
        "outcome": stored,
        "session_id": stored["session_id"],
        "transcript": storable(outcome.transcript),
    }
    return learned | answered


def _stored(outcome: AgentOutcome) -> dict[str, Any]:
    told = {
        "ending": outcome.ending,
        "reason": outcome.reason,
        "operator": outcome.operator,
        "short": outcome.short,
        "text": outcome.text,
        "structured": outcome.structured,
        "turns": outcome.turns,
        "elapsed_ms": outcome.elapsed_ms,
        "session_id": outcome.session_id,
        "command": outcome.command,
        "exit_code": outcome.exit_code,
        "stderr": outcome.stderr,
        "looked_at": outcome.looked_at,
    }
    return dict(storable(told))


def _stored_over(task: TaskRow, outcome: AgentOutcome) -> dict[str, Any]:
    """The outcome of a task that ends without running, with what an earlier attempt said."""
    return (
        _stored(outcome)
        | (task.outcome or {})
        | {"ending": outcome.ending, "reason": outcome.reason}
    )


def _packed(tx: Transaction, chain_ids: list[str]) -> list[TaskRow]:
    """The tasks of those of these chains that were trimmed."""
    found = packed_tasks.of_chains(tx, chain_ids) if chain_ids else {}
    return [_task(values) for packed in found.values() for values in packed]


def _row(row: sa.Row[Any]) -> TaskRow:
    return _task({name: getattr(row, name) for name in _FIELDS})


def _task(values: dict[str, Any]) -> TaskRow:
    rest = {name: value for name, value in values.items() if name != "state"}
    return TaskRow(**rest, state=TaskState(values["state"]))
