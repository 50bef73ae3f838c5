"""Makes the tasks of a step that is about to run: which run, for which item, with all that its texts may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_pool_gh.pool.model.errors import PoolError, RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.render import render
from claude_pool_gh.pool.recipes import prompting
from claude_pool_gh.pool.run.planned_task import PlannedTask
from claude_pool_gh.pool.store.chains import ChainRow, StepRow
from claude_pool_gh.pool.store.incomplete import WITHHELD_ITEM, lost_items
from claude_pool_gh.pool.store.template_values import items_of, with_item


def planned_tasks_of(
    chain: ChainRow, step: AgentRun | Branches, record: StepRow, values: Mapping[str, Any]
) -> list[PlannedTask]:
    """The step's tasks. What of it cannot be filled in does not stop the others: it is the fault of its own task."""
    fault = _undecided(step, values)
    if isinstance(step, Branches):
        items: list[tuple[AgentRun, Any]] = [(branch, {}) for branch in step.branches]
    else:
        try:
            items = [(step, item) for item in items_of(step, values)]
        except PoolError as error:
            items, fault = [(step, {})], fault or str(error)
    beside, lost = min(len(items), step.at_once or len(items)), lost_items(chain, step)
    return [
        _unit(
            chain,
            run,
            record,
            shard,
            values,
            item,
            beside,
            WITHHELD_ITEM if shard in lost else fault,
        )
        for shard, (run, item) in enumerate(items)
    ]


def is_skipped(step: Step, values: Mapping[str, Any]) -> bool:
    """True where the step is passed over.

    A step of agents whose condition cannot be decided is not: its tasks fail of that. Raises RecipeError for one of the
    host's.
    """
    try:
        return not _is_due(step, values)
    except RecipeError:
        if isinstance(step, HostCall):
            raise
        return False


def _undecided(step: Step, values: Mapping[str, Any]) -> str:
    """The reason why the step's condition cannot be decided; empty where it can."""
    try:
        _is_due(step, values)
    except RecipeError as error:
        return str(error)
    return ""


def _is_due(step: Step, values: Mapping[str, Any]) -> bool:
    return step.when is None or step.when.holds(values)


def _unit(
    chain: ChainRow,
    run: AgentRun,
    record: StepRow,
    shard: int,
    values: Mapping[str, Any],
    item: Any,
    siblings: int,
    fault: str,
) -> PlannedTask:
    title, own = run.name, {**values, "item": item}
    try:
        own = with_item(values, run, item)
        title, _, _ = (render(text, own) for text in (prompting.label(run), run.prompt, run.system))
    except RecipeError as error:
        fault = fault or str(error)
    return PlannedTask(
        task_id=chain.id if chain.kind == "task" else f"{chain.id}.{record.name}.{shard}",
        shard=shard,
        run=run,
        title=title,
        values=own,
        siblings=siblings,
        rejections=record.rejections,
        fault=fault,
    )
