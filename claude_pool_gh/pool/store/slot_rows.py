"""Slots as records, so that whoever looks at the database sees what every worker's slots do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from claude_pool_gh.pool.model.config import STORED, SlotConfig
from claude_pool_gh.pool.model.errors import IllegalTransition, UnknownSlot
from claude_pool_gh.pool.model.states import SLOT, SlotEvent, SlotState
from claude_pool_gh.pool.store.moves import move, move_all, move_by, moved, moving
from claude_pool_gh.pool.store.tables import slots
from claude_pool_gh.storage import Transaction, insert_once, one_at_a_time

_C = slots.c
# Built once: see `chains`.
_SLOT = sa.select(slots).where(_C.id == sa.bindparam("wanted"))
_DONE: sa.BindParameter[int] = sa.bindparam("done", type_=sa.Integer)
_VACATE = moving(slots).values(
    session_id=sa.func.coalesce(sa.bindparam("session"), _C.session_id),
    tasks_completed=_C.tasks_completed + _DONE,
    cost=_C.cost + sa.bindparam("paid"),
    # A slot that works again has its restarts back.
    restart_count=sa.case((_DONE == 1, 0), else_=_C.restart_count),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRow:
    """A slot as stored."""

    id: str
    worker: str
    state: SlotState
    config: SlotConfig
    current_task: str | None
    session_id: str | None
    tasks_completed: int
    cost: int
    restart_count: int


def register(tx: Transaction, worker: str, configs: Sequence[SlotConfig]) -> list[str]:
    """Store new idle slots of a worker, under the lowest free names; returns the names in order."""
    one_at_a_time(tx, "slots")
    taken = set(tx.execute(sa.select(_C.id)).scalars())
    free = (
        f"slot-{number}"
        for number in range(len(taken) + len(configs))
        if f"slot-{number}" not in taken
    )
    names = [next(free) for _ in configs]
    for name, config in zip(names, configs, strict=True):
        _insert(tx, name, worker, config, SlotState.idle)
    return names


def forget_workers(tx: Transaction, workers: Collection[str]) -> None:
    """Remove the slots of workers that are gone; their names are free again."""
    tx.execute(slots.delete().where(_C.worker.in_(list(workers))))


def occupy(tx: Transaction, slot_id: str, worker: str, config: SlotConfig, task_id: str) -> None:
    """A slot begins a task. An ephemeral slot is born with it."""
    if moved(tx, SLOT, slot_id, SlotState.idle, SlotEvent.occupy, current_task=task_id):
        return
    if _insert(tx, slot_id, worker, config, SlotState.busy, task_id):
        return
    # Still busy: its last task ended while the database could not be written.
    move(tx, SLOT, slot_id, SlotState.busy, SlotEvent.vacate, current_task=None)
    move(tx, SLOT, slot_id, SlotState.idle, SlotEvent.occupy, current_task=task_id)


def vacate(
    tx: Transaction,
    slot_id: str,
    worker: str,
    config: SlotConfig,
    *,
    completed: bool,
    broken: bool,
    cost: int,
    session_id: str | None,
) -> None:
    """A slot's task has ended. Its row may be gone: whoever took this worker for dead has forgotten it, wrongly."""
    also = {"current_task": None, "session": session_id, "done": int(completed), "paid": cost}
    event = SlotEvent.break_ if broken else SlotEvent.vacate
    try:
        move_by(tx, _VACATE, SLOT, slot_id, SlotState.busy, event, **also)
    except IllegalTransition:
        if not _insert(tx, slot_id, worker, config, SlotState.busy):
            raise
        move_by(tx, _VACATE, SLOT, slot_id, SlotState.busy, event, **also)


def replace(tx: Transaction, slot_id: str, heir: str) -> str:
    """An ephemeral slot dies, and an idle one takes its place; returns the id of that."""
    row = get(tx, slot_id)
    remove(tx, [slot_id])
    _insert(tx, heir, row.worker, row.config, SlotState.idle)
    return heir


def restart(tx: Transaction, slot_id: str) -> None:
    """An errored slot is idle again, without the conversation it kept."""
    row = get(tx, slot_id)
    also = {"restart_count": row.restart_count + 1, "session_id": None}
    # Still busy: it broke where the database could not be written.
    before = SlotState.busy if row.state is SlotState.busy else SlotState.errored
    move(tx, SLOT, slot_id, before, SlotEvent.restart, current_task=None, **also)


def stop(tx: Transaction, slot_ids: Iterable[str]) -> None:
    """These slots take no task any more."""
    move_all(tx, SLOT, slot_ids, SlotEvent.stop, current_task=None)


def remove(tx: Transaction, slot_ids: Iterable[str]) -> None:
    """These slots are gone; what they did stays in the tasks' rows."""
    tx.execute(slots.delete().where(_C.id.in_(list(slot_ids))))


def mend(tx: Transaction, worker: str, idle: Collection[str]) -> None:
    """Free the rows of slots that their own process knows to be idle: a run ended where it could not write."""
    stuck = sa.and_(_C.worker == worker, _C.state == SlotState.busy, _C.id.in_(list(idle)))
    for row in tx.execute(sa.select(_C.id).where(stuck)).all():
        move(tx, SLOT, row.id, SlotState.busy, SlotEvent.vacate, current_task=None)


def configure(tx: Transaction, slot_id: str, config: SlotConfig) -> None:
    """Change what a slot decides, from its next task on."""
    changed = slots.update().where(_C.id == slot_id).values(config=config.model_dump(mode="json"))
    if tx.execute(changed).rowcount != 1:
        raise UnknownSlot(f"no slot has the id {slot_id!r}")


def get(tx: Transaction, slot_id: str) -> SlotRow:
    """Read a slot. Raises UnknownSlot."""
    row = tx.execute(_SLOT, {"wanted": slot_id}).one_or_none()
    if row is None:
        raise UnknownSlot(f"no slot has the id {slot_id!r}")
    return _row(row)


def every(tx: Transaction) -> list[SlotRow]:
    """All slots of all workers."""
    found = [_row(row) for row in tx.execute(sa.select(slots))]
    return sorted(found, key=lambda slot: (len(slot.id), slot.id))


def _insert(
    tx: Transaction,
    slot_id: str,
    worker: str,
    config: SlotConfig,
    state: SlotState,
    task_id: str | None = None,
) -> bool:
    values = {
        "id": slot_id,
        "worker": worker,
        "state": state,
        "config": config.model_dump(mode="json"),
        "current_task": task_id,
        "tasks_completed": 0,
        "cost": 0,
        "restart_count": 0,
    }
    return insert_once(tx, slots, values)


def _row(row: sa.Row[tuple[object, ...]]) -> SlotRow:
    return SlotRow(
        id=row.id,
        worker=row.worker,
        state=SlotState(row.state),
        config=SlotConfig.model_validate(row.config, context=STORED),
        current_task=row.current_task,
        session_id=row.session_id,
        tasks_completed=row.tasks_completed,
        cost=row.cost,
        restart_count=row.restart_count,
    )
