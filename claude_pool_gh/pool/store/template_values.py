"""The values of finished steps for later ones: those behind `{steps.NAME.VAR}`, conditions and `each`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from claude_pool_gh.pool.model.errors import RecipeError, StepFailed
from claude_pool_gh.pool.model.plan import AgentRun, Branches, HostCall, Step
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.render import ABSENT, look_up, render
from claude_pool_gh.pool.store.chains import ChainRow

logger = logging.getLogger(__name__)


def values_of(chain: ChainRow) -> dict[str, Any]:
    """Everything that a template of the chain's next step may name, but for `item` and a step's own arguments."""
    results = chain.results
    steps = {
        step.name: _view(step, results[step.name])
        for step in chain.plan.steps
        if step.name in results
    }
    return {
        "steps": steps,
        "args": chain.plan.context | chain.plan.arguments,
        "previous_output": _previous(chain),
    }


def items_of(step: AgentRun, values: Mapping[str, Any]) -> list[Any]:
    """The items that the step runs for, one task each; a step without `each` runs once."""
    if step.each is None:
        return [{}]
    if values["steps"].get(step.each.partition(".")[0]) is ABSENT:
        return []
    found = look_up(step.each, values["steps"])
    if not isinstance(found, list):
        raise StepFailed(f"`each` needs a list at `{step.each}`, and there is none")
    return found


def with_item(values: Mapping[str, Any], step: AgentRun, item: Any) -> dict[str, Any]:
    """The values for one task of a step. Its own arguments are rendered first, and their values never again."""
    here = {**values, "item": item}
    if step.arguments is None:
        return here
    return here | {"args": {name: render(text, here) for name, text in step.arguments.items()}}


def output_of(outcome: Mapping[str, Any]) -> str:
    """A run's answer as text: what it said, or the typed result as JSON where there is one."""
    structured = outcome.get("structured")
    return (
        str(outcome.get("text") or "")
        if structured is None
        else json.dumps(structured, ensure_ascii=False)
    )


def error_of(outcome: Mapping[str, Any]) -> str:
    """The reason why a run did not complete; empty for one that did."""
    ending = outcome.get("ending", Ending.completed)
    return "" if ending == Ending.completed else str(outcome.get("reason") or ending)


def _view(step: Step, result: Any) -> Any:
    if result is None and not isinstance(step, HostCall):
        return ABSENT
    match step:
        case HostCall():
            return ABSENT if result is None else result
        case AgentRun(each=None):
            return _one(step, result[0]) if result else ABSENT
        case AgentRun():
            return {
                "output": _joined(result),
                "outputs": [output_of(run) for run in result],
                "error": _errors(result),
                "errors": [error_of(run) for run in result],
                "results": [run.get("structured") for run in result],
            }
        case Branches():
            named = {
                run.name: _one(run, each) for run, each in zip(step.branches, result, strict=True)
            }
            return {"output": _joined(result), "error": _errors(result)} | named


def _one(step: AgentRun, outcome: Mapping[str, Any]) -> dict[str, Any]:
    structured = outcome.get("structured")
    typed = structured if isinstance(structured, dict) else {}
    may_be_missing = dict.fromkeys((step.overrides.json_schema or {}).get("properties", ()))
    named = {var: _part(typed, path) for var, path in step.output_vars.items()}
    return (
        may_be_missing | {"output": output_of(outcome), "error": error_of(outcome)} | typed | named
    )


def _part(typed: Mapping[str, Any], path: str) -> Any:
    """The value at a path of a typed result; nothing where the agent left it out."""
    try:
        return look_up(path, typed)
    except RecipeError:
        return None


def _joined(result: list[Mapping[str, Any]]) -> str:
    if len(result) == 1:
        return output_of(result[0])
    return "\n\n".join(f"{run.get('title', '')}:\n{output_of(run)}" for run in result)


def _errors(result: list[Mapping[str, Any]]) -> str:
    """The errors, task by task; empty where there were none."""
    return "\n".join(f"{run.get('title', '')}: {error_of(run)}" for run in result if error_of(run))


def _previous(chain: ChainRow) -> str:
    """The words of the newest finished step of an agent; nothing before the first."""
    for step in reversed(chain.plan.steps):
        result = chain.results.get(step.name)
        if result is not None and not isinstance(step, HostCall):
            return _joined(result)
    return ""
