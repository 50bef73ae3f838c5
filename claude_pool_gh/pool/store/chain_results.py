"""Reads what a chain's steps came to, while it runs and after its end, as its user sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_pool_gh.pool.model.ids import TaskId
from claude_pool_gh.pool.model.outcomes import FAILURES
from claude_pool_gh.pool.model.plan import HostCall, Step
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.records import ChainResult, StepResult, StepTask
from claude_pool_gh.pool.model.states import StepState, TaskState
from claude_pool_gh.pool.store import chains, costs, tasks
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.pool.store.template_values import error_of, output_of
from claude_pool_gh.storage import Transaction

_AT_ITS_END = (StepState.completed, StepState.skipped, StepState.failed, StepState.cancelled)
_DONE = (TaskState.completed, TaskState.pending_review)


def chain_result(tx: Transaction, chain_id: str) -> ChainResult | None:
    """The result of a chain; None while it has not ended. Raises UnknownChain."""
    chain = chains.get(tx, chain_id)
    if chain.outcome is None:
        return None
    steps, (cost, bound) = _steps(tx, chain), costs.cost_of(tx, chain_id)
    ended_well = chain.outcome.verdict not in FAILURES
    failed = [
        f"step {step.name}: {step.error}" for step in steps if not (step.success or step.skipped)
    ]
    said = next((text for step in reversed(steps) if (text := _answer(step))), "")
    return ChainResult(
        steps=steps,
        final_output=said if ended_well else chain.outcome.reason or said,
        total_cost_microdollars=cost,
        upper_bound=bound,
        success=ended_well and not failed,
        commit=(chain.work or {}).get("commit"),
        verdict=chain.outcome.verdict,
        reason=chain.outcome.reason or "; ".join(failed),
    )


def step_results(tx: Transaction, chain_id: str) -> tuple[StepResult, ...]:
    """The results of the steps that have ended so far, or wait for approval. Raises UnknownChain."""
    chain = chains.get(tx, chain_id)
    shown = {
        step.name for step in chain.steps if step.state in (*_AT_ITS_END, StepState.pending_review)
    }
    return tuple(step for step in _steps(tx, chain) if step.name in shown)


def _answer(step: StepResult) -> str:
    """The answer of a step's agents, or of its host: never why it failed."""
    return (
        "\n\n".join(each.output for each in step.tasks if each.output)
        if step.tasks
        else step.output
    )


def _steps(tx: Transaction, chain: ChainRow) -> tuple[StepResult, ...]:
    spent, rows = costs.cost_by_step(tx, chain.id), tasks.of_chain(tx, chain.id)
    return tuple(
        _step(
            step,
            record,
            spent.get(step.name, (0, False)),
            [row for row in rows if row.step == step.name],
        )
        for step, record in zip(chain.plan.steps, chain.steps, strict=True)
    )


def _step(
    step: Step, record: StepRow, cost: tuple[int, bool], own: Sequence[TaskRow]
) -> StepResult:
    every = tuple(_task(row, rejected=record.state is StepState.failed) for row in own)
    failed = next((each for each in every if not each.success), None)
    host = record.result if isinstance(step, HostCall) else None
    return StepResult(
        name=step.name,
        output=host
        if isinstance(host, str)
        else "\n\n".join(filter(None, (t.output or t.error for t in every))),
        success=record.state in (StepState.completed, StepState.pending_review) and failed is None,
        ending=None if not every else Ending.completed if failed is None else failed.ending,
        error=_joined(every),
        structured=host if isinstance(step, HostCall) else _typed(step, every),
        tasks=every,
        cost_microdollars=cost[0],
        upper_bound=cost[1],
        retries_used=sum(max(0, row.attempt - 1) for row in own),
        skipped=record.state in (StepState.skipped, StepState.pending, StepState.cancelled)
        and not own,
    )


def _task(row: TaskRow, *, rejected: bool) -> StepTask:
    outcome = row.outcome or {}
    success = row.state in _DONE
    ending = Ending(outcome.get("ending", Ending.failed))
    if row.state is TaskState.cancelled:
        ending = Ending.cancelled
    elif not success and ending is Ending.completed:
        ending = Ending.failed
    error = "" if success else error_of(outcome) or ("rejected" if rejected else ending.value)
    return StepTask(
        id=TaskId(row.id),
        title=row.title,
        success=success,
        ending=ending,
        output=output_of(outcome),
        error=error,
        structured=outcome.get("structured"),
    )


def _joined(every: Sequence[StepTask]) -> str:
    if len(every) == 1:
        return every[0].error
    return "\n".join(f"{each.title}: {each.error}" for each in every if each.error)


def _typed(step: Step, every: Sequence[StepTask]) -> Any:
    several = (
        len(every) != 1
        or isinstance(step, HostCall)
        or step.kind == "branches"
        or step.each is not None
    )
    if not several:
        return every[0].structured
    typed = [each.structured for each in every]
    return typed if any(each is not None for each in typed) else None
