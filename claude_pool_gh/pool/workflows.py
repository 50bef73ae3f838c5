"""Reads a workflow file and makes a chain's steps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import Field, model_validator

from claude_pool_gh.pool.errors import RecipeError
from claude_pool_gh.pool.plan import AgentRun, Frozen, HostCall, Step
from claude_pool_gh.pool.render import placeholders
from claude_pool_gh.pool.skills import Skill


class WorkflowStep(Frozen):
    """One step as written: either a `host` function, or a `skill` with the input of its user turn."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    host: str | None = None
    skill: str | None = None
    input: str = ""
    each: str | None = None
    title: str = ""
    tools: tuple[str, ...] | None = None
    model: str | None = None
    effort: str | None = None
    turns: Annotated[int, Field(ge=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    output: str | None = None
    retries: Annotated[int, Field(ge=0, le=5)] = 1

    @model_validator(mode="after")
    def _one_kind(self) -> WorkflowStep:
        if (self.host is None) == (self.skill is None):
            raise ValueError(f"step {self.name} needs either `host` or `skill`")
        return self


class Workflow(Frozen):
    """A named recipe."""

    name: str
    description: str
    steps: Annotated[tuple[WorkflowStep, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kitchen:
    """What a workflow may refer to, and what holds where it is silent."""

    skills: Mapping[str, Skill]
    outputs: Mapping[str, dict[str, Any]]
    hosts: frozenset[str]
    tools: frozenset[str]
    """The tools that a step may have; a recipe cannot give itself others."""
    model: str
    effort: str | None = None
    turns: int = 30


def parse_workflow(text: str, source: str) -> Workflow:
    """Read one workflow. Raises RecipeError naming `source` and what to mend."""
    try:
        return Workflow.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise RecipeError(f"{source}: {error}") from error


def expand(workflow: Workflow, kitchen: Kitchen) -> tuple[Step, ...]:
    """The steps in full. Everything a step refers to is checked here, before the first one runs."""
    done: list[str] = []
    steps: list[Step] = []
    for written in workflow.steps:
        skill = kitchen.skills.get(written.skill or "")
        _check_references(workflow, written, done, "" if skill is None else skill.prompt)
        steps.append(_expand_step(workflow, written, kitchen))
        done.append(written.name)
    return tuple(steps)


def _expand_step(workflow: Workflow, step: WorkflowStep, kitchen: Kitchen) -> Step:
    if step.host is not None:
        if step.host not in kitchen.hosts:
            raise _unknown(workflow, step, "host", step.host, kitchen.hosts)
        return HostCall(name=step.name, call=step.host)
    skill = kitchen.skills.get(step.skill or "")
    if skill is None:
        raise _unknown(workflow, step, "skill", step.skill, kitchen.skills)
    if step.output is not None and step.output not in kitchen.outputs:
        raise _unknown(workflow, step, "output", step.output, kitchen.outputs)
    tools = skill.allowed_tools if step.tools is None else step.tools
    for tool in tools:
        if tool not in kitchen.tools:
            raise _unknown(workflow, step, "tool", tool, kitchen.tools)
    return AgentRun(
        name=step.name,
        system=skill.prompt,
        prompt=step.input,
        each=step.each,
        title=step.title,
        tools=tools,
        model=step.model or kitchen.model,
        effort=step.effort or kitchen.effort,
        turns=step.turns or kitchen.turns,
        share=step.share,
        output=None if step.output is None else kitchen.outputs[step.output],
        retries=step.retries,
    )


def _check_references(workflow: Workflow, step: WorkflowStep, done: list[str], prompt: str) -> None:
    if step.name in done:
        raise RecipeError(f"workflow {workflow.name}: two steps are called {step.name!r}")
    texts = f"{step.input}\n{step.title}\n{prompt}"
    used = [path.split(".")[1] for path in placeholders(texts) if path.startswith("steps.")]
    if step.each is not None:
        used.append(step.each.split(".")[0])
    for name in used:
        if name not in done:
            raise RecipeError(
                f"workflow {workflow.name}, step {step.name}: no earlier step is called {name!r}"
            )


def _unknown(workflow: Workflow, step: WorkflowStep, what: str, name: str | None, known: Any) -> RecipeError:
    names = ", ".join(sorted(known)) or "none"
    return RecipeError(f"workflow {workflow.name}, step {step.name}: unknown {what} {name!r}; known: {names}")
