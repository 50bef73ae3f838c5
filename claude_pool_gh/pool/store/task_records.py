"""Tasks as the records that a pool's user sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import UnknownTask
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.plan import AgentRun, Branches, Plan, Step
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.records import TaskRecord, TaskResult
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.recipes.prompting import with_feedback
from claude_pool_gh.pool.store import chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import tags as tag_rows
from claude_pool_gh.pool.store.tables import tasks as task_rows
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.pool.store.template_values import output_of
from claude_pool_gh.storage import Transaction

MADE = sa.case(
    (chain_rows.c.kind == "task", chain_rows.c.created_ms), else_=task_rows.c.created_ms
).label("made_ms")
"""When a task was made: a lone one when it was submitted, one of a chain when its step began."""

_ENDED = (TaskState.completed, TaskState.failed, TaskState.cancelled, TaskState.pending_review)


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """The details of tasks besides their own rows."""

    tags: Mapping[str, tuple[str, ...]]
    """Of each chain."""
    costs: Mapping[str, tuple[int, bool]]
    """What each run has spent, and whether that is only an upper bound."""
    commits: Mapping[str, str]
    """The commit that each run left."""


def task(tx: Transaction, task_id: str) -> TaskRecord:
    """One task. Raises UnknownTask, also for a chain's id."""
    for found in records(tx, [task_id]):
        return found
    raise UnknownTask(f"no task has the id {task_id!r}")


def records(tx: Transaction, ids: Sequence[str]) -> list[TaskRecord]:
    """The tasks with these ids, in their order, in a fixed number of statements. What is not there is left out."""
    found = tasks.several(tx, ids)
    rows = [found[task_id] for task_id in ids if task_id in found]
    own, known = chains.several(tx, {row.chain_id for row in rows}), _known(tx, rows)
    return [_record(row, own[row.chain_id], known) for row in rows]


def _known(tx: Transaction, rows: Sequence[TaskRow]) -> TaskDetails:
    every_run = [run for row in rows for run in _runs_of(row)]
    return TaskDetails(
        tags=chains.tags_of(tx, {row.chain_id for row in rows}),
        costs=costs.cost_of_runs(tx, every_run),
        commits=tasks.works_of(tx, [row.run_id for row in rows]),
    )


def _runs_of(row: TaskRow) -> list[str]:
    return [f"{row.id}.{number}" for number in range(1, row.attempt + 1)]


def step_of(plan: Plan, name: str) -> Step | None:
    """A plan's step by its name."""
    return next((step for step in plan.steps if step.name == name), None)


def tagged(wanted: Sequence[str]) -> sa.Select[Any]:
    """The chains that have any of these tags."""
    return sa.select(tag_rows.c.chain_id).where(tag_rows.c.tag.in_(list(wanted)))


def _record(row: TaskRow, chain: ChainRow, known: TaskDetails) -> TaskRecord:
    step = step_of(chain.plan, row.step)
    record = next(record for record in chain.steps if record.name == row.step)
    run = _run_of(step, row.shard)
    before, now = _prompts(row, chain, run, record)
    return TaskRecord(
        id=TaskId(row.id),
        chain_id=ChainId(row.chain_id),
        step=row.step,
        prompt=now,
        original_prompt=before if record.rejections else None,
        state=row.state,
        slot_id=row.slot,
        result=_result(row, chain, known) if row.state in _ENDED else None,
        tags=known.tags.get(row.chain_id, ()),
        config=run.overrides if run else None,
        review_required=bool(step and step.gate),
        max_rejections=step.max_rejections if step else 3,
        rejection_count=len(record.rejections),
        attempts=row.attempt,
        created_at_ms=chain.created_ms if chain.kind == "task" else row.created_ms,
        started_at_ms=row.started_ms,
        completed_at_ms=row.ended_ms,
    )


def _prompts(
    row: TaskRow, chain: ChainRow, run: AgentRun | None, record: StepRow
) -> tuple[str, str]:
    """A task's prompt without any feedback, and the one that was sent last or, where it is to run again, will be."""
    template = (
        str(chain.plan.context["prompt"]) if chain.kind == "task" else run.prompt if run else ""
    )
    sent = template if row.prompt is None else row.prompt
    asked = sent if row.asked is None else row.asked
    rejected = row.state is TaskState.pending and record.rejections
    return asked, with_feedback(
        asked, record.rejections, output_of(row.outcome or {})
    ) if rejected else sent


def _run_of(step: Step | None, shard: int) -> AgentRun | None:
    match step:
        case AgentRun():
            return step
        case Branches():
            return step.branches[shard]
        case _:
            return None


def _result(row: TaskRow, chain: ChainRow, known: TaskDetails) -> TaskResult:
    outcome: dict[str, Any] = row.outcome or {}
    spent = [known.costs.get(run, (0, False)) for run in _runs_of(row)]
    ending, reason = Ending(outcome.get("ending", Ending.failed)), str(outcome.get("reason", ""))
    if row.state is TaskState.cancelled:  # maybe with what an earlier attempt left
        ending = Ending.cancelled
    success = ending is Ending.completed and row.state in (
        TaskState.completed,
        TaskState.pending_review,
    )
    if ending is Ending.completed and row.state is TaskState.failed:  # rejected once too often
        ending, reason = Ending.failed, chain.outcome.reason if chain.outcome else ""
    return TaskResult(
        output=output_of(outcome) or reason,
        success=success,
        cost_microdollars=sum(cost for cost, _ in spent),
        turns_used=int(outcome.get("turns") or 0),
        elapsed_ms=int(outcome.get("elapsed_ms") or 0),
        model=row.model or None,
        session_id=_address(row, outcome),
        failed_command=None if success else outcome.get("command") or None,
        exit_code=None if success else outcome.get("exit_code"),
        stderr=None if success else outcome.get("stderr") or None,
        budget_exceeded=ending is Ending.out_of_budget,
        ending=ending,
        reason=reason,
        structured=outcome.get("structured"),
        upper_bound=any(bound for _, bound in spent),
        commit=known.commits.get(row.run_id),
        looked_at=outcome.get("looked_at") or {},
    )


def _address(row: TaskRow, outcome: dict[str, Any]) -> str | None:
    """A conversation's address: the slot that keeps it, and its id there."""
    session = outcome.get("session_id")
    return f"{row.slot}/{session}" if session and row.slot else None
