"""One task of a step that is about to run, and what its agent is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.pool.model.plan import AgentRun
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.render import render
from claude_pool_gh.pool.recipes import prompting
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.pool.store.template_values import output_of

_CUT_OFF: Final = frozenset({Ending.out_of_turns, Ending.timed_out, Ending.out_of_budget})
"""Ends of runs that were on their way: what they had said is worth going on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One task of a step: which run, for what, with everything a template may name."""

    task_id: str
    shard: int
    run: AgentRun
    title: str
    values: Mapping[str, Any]
    siblings: int
    """Tasks of the same step, which share its money."""
    rejections: tuple[str, ...]
    fault: str = ""
    """Why one of its texts cannot be filled: then it does not run, and fails of that."""


def prompt_of(unit: PlannedTask, task: TaskRow, error: str, *, recovering: bool) -> str:
    """The prompt of the next attempt, with feedback, or with how the last attempt ended.

    `recovering`: in the words for the one attempt after the last retry. Raises RecipeError for a text that cannot be
    filled in.
    """
    before = task.outcome or {}
    prompt = render(unit.run.prompt, unit.values)
    prompt = prompting.with_feedback(prompt, unit.rejections, output_of(before))
    if recovering and unit.run.recovery is not None:
        return prompting.with_recovery(
            prompt, render(unit.run.recovery, {**unit.values, "error": error})
        )
    return prompting.with_error(
        prompt, error, output_of(before) if before.get("ending") in _CUT_OFF else ""
    )
