"""Steps as a person writes them, in a YAML file or in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from claude_pool_gh.pool.model import crate
from claude_pool_gh.pool.model.conditions import Condition
from claude_pool_gh.pool.model.config import (
    MOST_DOLLARS,
    AnyEffort,
    AnyIsolation,
    Frozen,
    Strings,
    TaskOverrides,
)
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AnyOnFailure, AnyOnRestart, OnFailure, OnRestart
from claude_pool_gh.pool.recipes.skills import Argument
from claude_pool_gh.pool.recipes.yaml_file import Loaded, read

if TYPE_CHECKING:  # what a caller may write
    Steps = Sequence["ChainStep"]
    Arguments = Sequence[Argument]
else:
    Steps = tuple["ChainStep", ...]
    Arguments = tuple[Argument, ...]


class ChainStep(Frozen):
    """One step as written: a `prompt`, a `skill`, a `host` function, or `branches` that run beside each other."""

    _of_the_crate = model_validator(mode="before")(crate.chain_step)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    prompt: str | None = None
    """Template of what the agent is asked."""
    skill: str | None = None
    """Name of a skill. Its text is the prompt or, where `input` is given, the system prompt."""
    input: str = ""
    """Template of what an agent with a skill for its system prompt is asked."""
    arguments: dict[str, str] = Field(default_factory=dict)
    """Templates for the skill's arguments."""
    host: str | None = None
    """Name of a function of the host's."""
    branches: Steps | None = None
    """Plain prompts or skills that run beside each other."""
    each: str | None = None
    """Path to a list in an earlier result, such as `plan.parts`: the step runs once for each item, `{item}`."""
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Most runs of this step beside each other; none: as many as there are slots."""
    title: str = ""
    """Template of what a person reads while it runs."""
    role: str | None = None
    """Run only on a slot with this role."""
    when: Condition | None = None
    gate: bool = False
    max_rejections: Annotated[int, Field(ge=1)] = 3
    again_from: str | None = None
    """With `gate`: the earlier step from which a rejection starts again, with the feedback. Default: this one."""
    tools: Strings | None = None
    model: str | None = None
    effort: AnyEffort | None = None
    turns: Annotated[int, Field(ge=1)] | None = None
    budget_usd: Annotated[float, Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that one run of this step may cost, in dollars, all its attempts together."""
    timeout_secs: Annotated[float, Field(gt=0)] | None = None
    """Seconds of one attempt."""
    output: str | dict[str, Any] | None = None
    """JSON Schema of the typed result, or the name of one."""
    output_vars: dict[str, str] = Field(default_factory=dict)
    """Names for parts of the typed result, by their dotted paths."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of the chain's money that this step may use."""
    retries: Annotated[int, Field(ge=0, le=5)] | None = None
    """How often a run that failed of something temporary is tried again. Default: that of `config`, else once."""
    recovery: str | None = None
    """Template for one more attempt after the last retry; it may name `{error}`."""
    on_failure: AnyOnFailure = OnFailure.fail
    config: TaskOverrides = TaskOverrides()
    """Whatever else the step's runs decide for themselves."""

    @model_validator(mode="after")
    def _one_kind(self) -> ChainStep:
        kinds = [kind for kind in ("prompt", "skill", "host", "branches") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"step {self.name} needs exactly one of `prompt`, `skill`, `host` and `branches`"
            )
        for branch in self.branches or ():
            if (
                branch.host is not None
                or branch.branches is not None
                or branch.each
                or branch.gate
                or branch.when
            ):
                raise ValueError(
                    f"branch {branch.name} must be a plain prompt or skill, without `each`, `when` or `gate`"
                )
        return self


class Workflow(Frozen):
    """A named recipe."""

    name: str
    description: str
    arguments: Arguments = ()
    """What `{args.NAME}` stands for in its steps."""
    isolation: AnyIsolation | None = None
    """Where its agents work; None leaves it to whoever starts it."""
    on_restart: AnyOnRestart = OnRestart.rerun
    budget_usd: Annotated[float, Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that one run may cost, in dollars."""
    steps: Annotated[Steps, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Written:
    """Steps with the place where they are written, for errors."""

    steps: tuple[ChainStep, ...]
    arguments: frozenset[str] | None
    """The chain's arguments; None where they are not known beforehand."""
    source: str
    lines: Loaded[Workflow] | None = None

    def error(self, step: ChainStep, problem: str) -> RecipeError:
        """Says what is wrong with a step, and where it stands."""
        at = "" if self.lines is None else f", line {self.lines.line('steps', self.steps.index(step))}"
        return RecipeError(f"{self.source}{at}, step {step.name}: {problem}")


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A workflow with its lines."""

    workflow: Workflow
    written: Written


def parse_workflow(text: str, source: str) -> WorkflowFile:
    """Read one workflow. Raises RecipeError naming `source`, the line and what to mend."""
    found = read(text, Workflow)
    if isinstance(found, list):
        raise RecipeError(f"{source}, " + "; ".join(map(str, found)))
    workflow = found.value
    names = frozenset(argument.name for argument in workflow.arguments)
    written = Written(tuple(workflow.steps), names if workflow.arguments else None, source, found)
    return WorkflowFile(workflow, written)


def bind(arguments: Sequence[Argument], given: dict[str, Any], what: str) -> dict[str, Any]:
    """The values of declared arguments. Raises RecipeError for one that is missing or unknown."""
    known = {argument.name for argument in arguments}
    unknown = sorted(set(given) - known)
    missing = [a.name for a in arguments if a.required and given.get(a.name) in (None, "")]
    if unknown or missing:
        told = [f"needs {', '.join(missing)}"] if missing else []
        told += [f"knows no {', '.join(unknown)}"] if unknown else []
        raise RecipeError(f"{what} {' and '.join(told)}; its arguments: {', '.join(sorted(known)) or 'none'}")
    return {argument.name: given.get(argument.name, "") for argument in arguments}
