"""Steps as a person writes them, in a YAML file or in Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import Field, Strict, model_validator

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
from claude_pool_gh.pool.recipes.yaml_file import Fault, Loaded, read

if TYPE_CHECKING:  # what a caller may write
    Steps = Sequence["ChainStep"]
    Arguments = Sequence[Argument]
else:
    Steps = tuple["ChainStep", ...]
    Arguments = tuple[Argument, ...]


class ChainStep(Frozen):
    """One step as written: a `prompt`, a `skill`, a `host` function, or `branches` that run in parallel."""

    _of_the_crate = model_validator(mode="before")(crate.chain_step)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    """What other steps and people call it."""
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
    """Plain prompts or skills that run in parallel."""
    each: str | None = None
    """Path to a list in an earlier result, such as `plan.parts`: the step runs once for each item, `{item}`."""
    at_once: Annotated[int, Strict(), Field(ge=1)] | None = None
    """Most runs of this step in parallel. Default: as many as there are slots."""
    title: str = ""
    """Template of what a person reads while it runs."""
    role: str | None = None
    """Run only on a slot with this role."""
    when: Condition | None = None
    """Condition under which the step runs; else it is skipped."""
    gate: Annotated[bool, Strict()] = False
    """Let the chain wait after this step until a person approves or rejects."""
    max_rejections: Annotated[int, Strict(), Field(ge=1)] = 3
    """With `gate`: the rejection with this number fails the step, those before it run it again. So with 3 it runs three
    times in all."""
    again_from: str | None = None
    """With `gate`: the earlier step from which a rejection starts again, with the feedback. Default: this one."""
    tools: Strings | None = None
    """Tools that the agent has. Default: those of the skill, else Read, Grep and Glob."""
    model: str | None = None
    """Model of this step. Default: the chain's."""
    effort: AnyEffort | None = None
    """How hard the model thinks. Default: the chain's."""
    turns: Annotated[int, Strict(), Field(ge=1)] | None = None
    """Most turns of one run."""
    budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that one run of this step may cost, in dollars, all its attempts together."""
    timeout_secs: Annotated[float, Strict(), Field(gt=0)] | None = None
    """Seconds of one attempt."""
    output: str | dict[str, Any] | None = None
    """JSON Schema of the typed result, or the name of one."""
    output_vars: dict[str, str] = Field(default_factory=dict)
    """Names for parts of the typed result, by their dotted paths."""
    share: Annotated[float, Strict(), Field(gt=0, le=1)] = 1.0
    """Part of the chain's money that this step may use."""
    retries: Annotated[int, Strict(), Field(ge=0, le=5)] | None = None
    """How often a run with a temporary failure is tried again. Default: that of `config`, else once."""
    recovery: str | None = None
    """Template for one more attempt after the last retry; it may name `{error}`."""
    on_failure: AnyOnFailure = OnFailure.fail
    """What a failure means for the chain; of a step with branches, that any of them failed."""
    config: TaskOverrides = TaskOverrides()
    """Whatever else the step's runs decide for themselves."""

    @model_validator(mode="after")
    def _one_kind(self) -> ChainStep:
        kinds = [kind for kind in _MEANS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(
                f"step {self.name} needs exactly one of `prompt`, `skill`, `host` and `branches`"
            )
        (kind,) = kinds
        if vain := self._given - _MEANS[kind]:
            where = ": say it on the branches" if kind == "branches" else ""
            raise ValueError(
                f"step {self.name}: {_listed(vain)} means nothing beside `{kind}`{where}"
            )
        if not self.gate and (vain := self._given & _OF_GATES):
            raise ValueError(f"step {self.name}: {_listed(vain)} means nothing without `gate`")
        for branch in self.branches or ():
            if vain := branch._given & _OF_STEPS:  # noqa: SLF001 - of the same class
                raise ValueError(
                    f"branch {branch.name} must be a plain prompt or skill, without {_listed(vain)}, "
                    "which only the step with the branches can say"
                )
        return self

    @property
    def _given(self) -> frozenset[str]:
        """The fields that say something."""
        fields = type(self).model_fields.items()
        return frozenset(
            name
            for name, field in fields
            if getattr(self, name) != field.get_default(call_default_factory=True)
        )


_OF_GATES: Final = frozenset({"max_rejections", "again_from"})
_COMMON: Final = frozenset({"name", "when", "gate"}) | _OF_GATES
_OF_AGENTS: Final = frozenset(ChainStep.model_fields) - {
    "prompt",
    "skill",
    "host",
    "branches",
    "input",
    "arguments",
}
_MEANS: Final = {
    "prompt": _OF_AGENTS | {"prompt"},
    "skill": _OF_AGENTS | {"skill", "input", "arguments"},
    "host": _COMMON | {"host"},
    "branches": _COMMON | {"branches", "at_once", "on_failure"},
}
"""The fields that mean something for each kind of step: any other would be ignored, so it is refused."""
_OF_STEPS: Final = _COMMON - {"name"} | {"host", "branches", "each", "at_once", "on_failure"}
"""What a branch cannot say for itself."""


def _listed(fields: frozenset[str]) -> str:
    return " and ".join(f"`{name}`" for name in sorted(fields))


class Workflow(Frozen):
    """A named recipe."""

    name: str
    """The name of its file."""
    description: str
    """What it does, in a sentence."""
    arguments: Arguments = ()
    """What `{args.NAME}` stands for in its steps."""
    isolation: AnyIsolation | None = None
    """Where its agents work. Default: as whoever starts it says."""
    on_restart: AnyOnRestart = OnRestart.rerun
    """What becomes of a run whose process died: `rerun`, or `ask` people before it is paid for again."""
    budget_usd: Annotated[float, Strict(), Field(gt=0, le=MOST_DOLLARS)] | None = None
    """Most that one run may cost, in dollars."""
    steps: Annotated[Steps, Field(min_length=1)]
    """What is done, in this order."""


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
        at = (
            ""
            if self.lines is None
            else f", line {self.lines.line('steps', self.steps.index(step))}"
        )
        return RecipeError(f"{self.source}{at}, step {step.name}: {problem}")


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A workflow with its lines."""

    workflow: Workflow
    written: Written


def parse_workflow(text: str, source: str, name: str = "") -> WorkflowFile:
    """Read one workflow, under the name of its file if it is looked up by that.

    Raises RecipeError naming `source`, the line and what to fix.
    """
    found = read(text, Workflow)
    if isinstance(found, list):
        raise RecipeError(f"{source}, " + "; ".join(map(str, found)))
    workflow = found.value
    if name not in ("", workflow.name):
        fault = Fault(
            found.line("name"), f"the workflow calls itself `{workflow.name}`, its file is `{name}`"
        )
        raise RecipeError(f"{source}, {fault}")
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
        raise RecipeError(
            f"{what} {' and '.join(told)}; its arguments: {', '.join(sorted(known)) or 'none'}"
        )
    return {argument.name: given.get(argument.name, "") for argument in arguments}
