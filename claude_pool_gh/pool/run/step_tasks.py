"""The tasks of a step: made before they run, and collected into its result once they have ended.

Each function is part of a transaction of the worker that carries the chain.
"""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool_gh.pool.model.endings import ending_of, verdict_of
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, OnFailure, OnRestart
from claude_pool_gh.pool.model.ports import AgentOutcome, Ending
from claude_pool_gh.pool.model.states import APPROVAL, RESTART, StepState, TaskState
from claude_pool_gh.pool.run.attempt_end import EndedTask
from claude_pool_gh.pool.run.planned_task import PlannedTask
from claude_pool_gh.pool.run.retrying import most_attempts
from claude_pool_gh.pool.run.running import CarriedChain
from claude_pool_gh.pool.run.task_planning import planned_tasks_of
from claude_pool_gh.pool.store import chains, steps, tasks
from claude_pool_gh.pool.store.chains import ChainRow, StepRow, StepWork
from claude_pool_gh.pool.store.incomplete import is_told_less
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.pool.store.template_values import values_of
from claude_pool_gh.storage import Transaction


def first_tasks(
    tx: Transaction, held: CarriedChain, chain: ChainRow, now_ms: int
) -> tuple[str, list[TaskRow]] | None:
    """The tasks of the step that a chain begins with, made at once where nothing has to be decided first."""
    position = chain.next_step
    if position is None:
        return None
    step, record = chain.plan.steps[position], chain.steps[position]
    if isinstance(step, HostCall) or step.when is not None or record.state is not StepState.pending:
        return None
    if is_told_less(chain, step):
        return None
    units = planned_tasks_of(chain, step, record, values_of(chain))
    waiting = lay_out(tx, held, chain, record, units, now_ms)
    return None if waiting is None else (step.name, waiting)


def laid_out(held: CarriedChain, record: StepRow) -> list[TaskRow] | None:
    """A step's tasks where they were made as the chain began."""
    made, held.laid_out = held.laid_out, None
    return made[1] if made is not None and made[0] == record.name else None


def lay_out(
    tx: Transaction,
    held: CarriedChain,
    chain: ChainRow,
    record: StepRow,
    units: Sequence[PlannedTask],
    now_ms: int,
) -> list[TaskRow] | None:
    """Make a step's tasks, and give back to `pending` those whose process died under them.

    A task that this process has begun itself did not die: what came of it is written, if anything did.

    None when the chain has parked instead: it asks before it spends on such a task again.
    """
    steps.begin(tx, record, now_ms)
    # A lone task has its row since it was submitted; nothing was done with that before its step first begins.
    untouched = chain.kind == "task" and record.started_ms is None
    made = [
        tasks.add(tx, unit.task_id, chain.id, record.name, unit.shard, unit.title, now_ms)
        for unit in units
    ]
    if untouched or all(made):
        return [
            tasks.fresh(unit.task_id, chain.id, record.name, unit.shard, unit.title, now_ms)
            for unit in units
        ]
    own = tasks.of_chain(tx, chain.id, record.name)
    running = [task for task in own if task.state is TaskState.running]
    died = [task for task in running if task.run_id not in held.open]
    for task in running:
        if (ended := held.open.get(task.run_id)) is not None:
            tasks.keep(tx, task, ended.outcome, ended.work, now_ms)
            tasks.end(tx, task, ended.outcome, now_ms, review=chain.plan.is_gated(task.step))
            continue
        if task.attempt >= most_attempts(units[task.shard].run, record.rejections):
            reason = f"the server died {task.attempt} times while this ran"
            tasks.end(tx, task, AgentOutcome(ending=Ending.failed, reason=reason), now_ms)
        else:
            tasks.give_back(tx, task, now_ms)
    if died and chain.plan.on_restart is OnRestart.ask:
        chains.park(tx, chains.get(tx, chain.id), RESTART)
        return None
    own = tasks.of_chain(tx, chain.id, record.name) if running else own
    return [task for task in own if task.state is TaskState.pending]


def collect(
    tx: Transaction,
    held: CarriedChain,
    chain: ChainRow,
    step: AgentRun | Branches,
    record: StepRow,
    now_ms: int,
    *,
    only: EndedTask | None = None,
) -> bool:
    """Store the step's result, every task's outcome in the order of the items, and what follows from it.

    True while the chain has more to do. While it is held, nobody else moves it. `only`: its one task, which need not be
    read again.
    """
    own = [only.row] if only is not None else tasks.of_chain(tx, held.chain_id, record.name)
    result = [{"title": task.title, "task": task.id} | (task.outcome or {}) for task in own]
    if held.cancel_requested or held.stop.is_set():
        chains.finish(tx, chain, Outcome(verdict=Verdict.cancelled), now_ms)
        return False
    failed = next((task for task in own if task.state is TaskState.failed), None)
    if failed is not None and step.on_failure is OnFailure.fail:
        steps.fail(tx, record, now_ms, result)
        chains.finish(tx, chain, _outcome_of(failed, alone=chain.kind == "task"), now_ms)
        return False
    work = _work(tx, own) if only is None else _work_of(only)
    if step.gate:
        steps.present(tx, record, result, work)
        chains.park(tx, chain, APPROVAL)
        return False
    steps.complete(tx, record, result, now_ms, work)
    # the last one: its end is the chain's, in one transaction
    if record.name == chain.plan.steps[-1].name:
        chains.complete(tx, chain, now_ms)
        return False
    return True


def _work_of(only: EndedTask) -> StepWork | None:
    return None if only.work is None else {"run": only.row.run_id, "commit": only.work.commit}


def _work(tx: Transaction, own: Sequence[TaskRow]) -> StepWork | None:
    """The work that later steps begin with: that of the only task that changed files. Of several, none goes before."""
    works = tasks.works_of(tx, [task.run_id for task in own])
    if len(works) != 1:
        return None
    ((run_id, commit),) = works.items()
    return {"run": run_id, "commit": commit}


def _outcome_of(task: TaskRow, *, alone: bool) -> Outcome:
    outcome = task.outcome or {}
    reason = str(outcome.get("reason", ""))
    told = reason if alone else f"step {task.step}: {reason}"
    verdict = verdict_of(ending_of(outcome))
    return Outcome(verdict=verdict, reason=told, operator=bool(outcome.get("operator")))
