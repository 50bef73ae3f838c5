"""Questions about the store: how far chains are, what is counted, who waits."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import FAILURES, Verdict
from claude_pool_gh.pool.model.records import (
    ChainProgress,
    ChainStatus,
    PoolStatus,
    SlotFilter,
    SlotRecord,
)
from claude_pool_gh.pool.model.states import ON_THE_WAY, ChainState, SlotState, StepState, TaskState
from claude_pool_gh.pool.store import chains, costs, slot_rows
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.metrics import MeasuredTask, MetricsFilter
from claude_pool_gh.pool.store.slot_rows import SlotRow
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import steps as step_rows
from claude_pool_gh.pool.store.tables import tasks as task_rows
from claude_pool_gh.pool.store.task_records import MADE, tagged
from claude_pool_gh.pool.store.template_values import output_of
from claude_pool_gh.storage import Transaction


def chain_progress(tx: Transaction, chain_id: str) -> ChainProgress:
    """The progress of a chain, as stored. Raises UnknownChain."""
    return progress_of(chains.get(tx, chain_id), costs.cost_of(tx, chain_id)[0])


def progress_of(chain: ChainRow, cost: int) -> ChainProgress:
    """The progress of a chain that has cost this much."""
    position = None if chain.state is ChainState.done else chain.next_step
    record = None if position is None else chain.steps[position]
    started = record is not None and record.started_ms is not None
    presented = record is not None and record.state is StepState.pending_review
    work = (record.work if record is not None and presented else None) or chain.work or {}
    return ChainProgress(
        chain_id=ChainId(chain.id),
        status=_status(chain),
        total_steps=len(chain.steps),
        completed_steps=sum(step.state in chains.FINISHED for step in chain.steps),
        current_step=position,
        current_step_name=None if record is None else record.name,
        current_step_started_at=(record.started_ms or 0) // 1000
        if record is not None and started
        else None,
        waits_for=chain.parked_for,
        cost_microdollars=cost,
        review_output=_presented(record) if record is not None and presented else None,
        review_commit=work.get("commit") if presented else None,
    )


def status(tx: Transaction, *, budget: int | None, shutdown: bool) -> PoolStatus:
    """The pool at a glance."""
    counts, (spent, reserved) = task_counts(tx), costs.spend(tx)
    states = Counter(row.state for row in slot_rows.every(tx))
    return PoolStatus(
        total_slots=sum(states.values()) - states[SlotState.stopped],
        idle_slots=states[SlotState.idle],
        busy_slots=states[SlotState.busy],
        errored_slots=states[SlotState.errored],
        running_tasks=counts[TaskState.running],
        pending_tasks=counts[TaskState.pending],
        pending_review_tasks=counts[TaskState.pending_review],
        completed_tasks=counts[TaskState.completed],
        failed_tasks=counts[TaskState.failed],
        cancelled_tasks=counts[TaskState.cancelled],
        total_spend_microdollars=spent,
        budget_microdollars=budget,
        reserved_microdollars=reserved,
        shutdown=shutdown,
    )


def slots(tx: Transaction, wanted: SlotFilter) -> list[SlotRecord]:
    """The slots of every worker that a filter lets through."""
    return [_slot(row) for row in slot_rows.every(tx) if _fits(wanted, row)]


def waiting_chains(tx: Transaction) -> int:
    """The number of chains that have not begun, or stopped between two steps."""
    waiting = chain_rows.c.state.in_(ON_THE_WAY)
    return int(
        tx.execute(sa.select(sa.func.count()).select_from(chain_rows).where(waiting)).scalar_one()
    )


def ended_steps(tx: Transaction) -> int:
    """The number of steps of all chains that have ended."""
    return _count(tx, sa.select(step_rows.c.id).where(step_rows.c.ended_ms.is_not(None)))


def task_counts(tx: Transaction) -> dict[TaskState, int]:
    """The number of tasks in each state. A chain that has not begun counts as one pending task."""
    rows = tx.execute(sa.select(task_rows.c.state, sa.func.count()).group_by(task_rows.c.state))
    counts = dict.fromkeys(TaskState, 0) | {TaskState(state): int(number) for state, number in rows}
    own = sa.select(task_rows.c.id).where(task_rows.c.chain_id == chain_rows.c.id).exists()
    unbegun = sa.and_(chain_rows.c.kind == "chain", chain_rows.c.state.in_(ON_THE_WAY))
    counts[TaskState.pending] += _count(tx, sa.select(chain_rows.c.id).where(unbegun, ~own))
    return counts


def done_since(tx: Transaction, since_ms: int) -> tuple[int, int]:
    """The number of tasks that have completed since a moment, and what was spent since."""
    done = task_rows.c.state.in_([TaskState.completed, TaskState.pending_review])
    number = _count(tx, sa.select(task_rows.c.id).where(done, task_rows.c.ended_ms >= since_ms))
    return number, costs.spent_since(tx, since_ms)


def measured(tx: Transaction, wanted: MetricsFilter) -> list[MeasuredTask]:
    """The tasks that a filter lets through, as far as metrics go."""
    statement = sa.select(*(c for c in task_rows.c if c.name != "transcript")).join(chain_rows)
    if wanted.since_ms is not None:
        statement = statement.where(wanted.since_ms <= MADE)
    if wanted.until_ms is not None:
        statement = statement.where(wanted.until_ms >= MADE)
    if wanted.model is not None:
        statement = statement.where(task_rows.c.model == wanted.model)
    if wanted.tags is not None:
        statement = statement.where(task_rows.c.chain_id.in_(tagged(wanted.tags)))
    spent = costs.cost_of_every_run(tx)
    return [
        MeasuredTask(
            state=TaskState(row.state),
            model=row.model,
            cost=sum(spent.get(f"{row.id}.{number}", 0) for number in range(1, row.attempt + 1)),
            elapsed_ms=int((row.outcome or {}).get("elapsed_ms") or 0),
            turns=int((row.outcome or {}).get("turns") or 0),
        )
        for row in tx.execute(statement)
    ]


def _slot(row: SlotRow) -> SlotRecord:
    return SlotRecord(
        id=row.id,
        state=row.state,
        config=row.config,
        current_task=row.current_task,
        session_id=None if row.session_id is None else f"{row.id}/{row.session_id}",
        tasks_completed=row.tasks_completed,
        cost_microdollars=row.cost,
        restart_count=row.restart_count,
        worker=row.worker,
    )


def _fits(wanted: SlotFilter, row: SlotRow) -> bool:
    gone = row.state is SlotState.stopped and wanted.state is not SlotState.stopped
    return not gone and (
        wanted.state in (None, row.state)
        and wanted.name in (None, row.config.name)
        and wanted.role in (None, row.config.role)
    )


def _presented(record: StepRow) -> str:
    if isinstance(record.result, list):
        return "\n\n".join(output_of(run) for run in record.result)
    return (
        record.result
        if isinstance(record.result, str)
        else json.dumps(record.result, ensure_ascii=False)
    )


def _status(chain: ChainRow) -> ChainStatus:
    if chain.outcome is None:
        return ChainStatus(chain.state)
    if chain.outcome.verdict is Verdict.cancelled:
        return ChainStatus.cancelled
    return ChainStatus.failed if chain.outcome.verdict in FAILURES else ChainStatus.completed


def _count(tx: Transaction, wanted: sa.Select[Any]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(wanted.subquery())).scalar_one())
