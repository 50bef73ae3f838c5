"""A chain's plan: every step in full, frozen when the chain is made.

It is stored with the chain, so a chain that is resumed after a crash, an upgrade or a change of configuration
runs what was announced and paid for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from claude_pool_gh.pool.model.conditions import Condition
from claude_pool_gh.pool.model.config import MICRODOLLARS, Frozen, Isolation, TaskOverrides

__all__ = [
    "MICRODOLLARS",
    "AgentRun",
    "AnyOnFailure",
    "AnyOnRestart",
    "Branches",
    "Frozen",
    "HostCall",
    "Isolation",
    "Limits",
    "OnFailure",
    "OnRestart",
    "Plan",
    "Step",
]

ALONE: Final = "task"
"""Name of the one step of a lone task."""


class OnFailure(StrEnum):
    """The meaning of a failed step for its chain."""

    fail = "fail"
    """The chain ends."""
    go_on = "continue"
    """The chain goes on, later steps can name what failed as `{steps.NAME.error}`, and the chain's result says it."""


class OnRestart(StrEnum):
    """The treatment of a run whose process died under it. What it spent is spent; finished runs are never repeated."""

    rerun = "rerun"
    """It starts a new attempt."""
    ask = "ask"
    """The chain parks, and starts the new attempt once somebody says so."""


if TYPE_CHECKING:  # what a caller may write
    AnyOnFailure = OnFailure | Literal["fail", "continue"]
    AnyOnRestart = OnRestart | Literal["rerun", "ask"]
else:
    AnyOnFailure, AnyOnRestart = OnFailure, OnRestart


class _Step(Frozen):
    name: str
    when: Condition | None = None
    """The step is skipped where this does not hold."""
    gate: bool = False
    """When the step has succeeded, the chain waits for a person's approval of what it did."""
    max_rejections: Annotated[int, Field(ge=1)] = 3
    """The rejection with this number fails the step; those before it run it again with the feedback. So with 3 it runs
    three times in all."""
    again_from: str | None = None
    """Name of the earlier step from which a rejection starts again; None: this one."""


class HostCall(_Step):
    """A step done by the host itself, without a model."""

    kind: Literal["host"] = "host"
    call: str
    """Name under which the wiring registered the function."""


class AgentRun(_Step):
    """A step done by an agent, once, or once for each item of an earlier result."""

    kind: Literal["agent"] = "agent"
    system: str = ""
    """Template for a system prompt in place of the CLI's own."""
    prompt: str
    """Template; see `render`."""
    arguments: dict[str, str] | None = None
    """Templates for what `{args.NAME}` means in this step; None: the chain's own arguments."""
    each: str | None = None
    """Reference to a list in an earlier result, such as `brief.groups`; one task for each item."""
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Most tasks of the step that run beside each other; None: as many as there are slots."""
    title: str = ""
    """Template for what a person reads while the task runs."""
    role: str | None = None
    """Run only on a slot with this role."""
    resume: str | None = None
    """Id of an earlier task whose conversation goes on here, on its slot."""
    overrides: TaskOverrides = TaskOverrides()
    """What the step's tasks decide for themselves."""
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of the chain's budget that this step's tasks may use together."""
    output_vars: dict[str, str] = Field(default_factory=dict)
    """Names for parts of the typed result: `{steps.NAME.VAR}` is the part at the dotted path given here."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """How often a run that failed of something that may pass is tried again."""
    recovery: str | None = None
    """Template for one more attempt after the last retry: the prompt, with this and the error after it."""
    on_failure: OnFailure = OnFailure.fail


class Branches(_Step):
    """Several agents beside each other, each with a prompt of its own. The step after it gathers their results."""

    kind: Literal["branches"] = "branches"
    branches: Annotated[tuple[AgentRun, ...], Field(min_length=1)]
    at_once: Annotated[int, Field(ge=1)] | None = None
    """Most branches that run at the same time."""
    on_failure: OnFailure = OnFailure.fail


Step = Annotated[HostCall | AgentRun | Branches, Field(discriminator="kind")]


class Limits(Frozen):
    """Money in microdollars, time in seconds."""

    task: int
    chain: int
    wall_seconds: float
    idle_seconds: float


class WorkspaceSpec(Frozen):
    """The part of a plan about the folder that its runs get. Each kind of workspaces reads its own part of it."""

    isolation: Isolation | None = None
    """None: the plan names its source itself."""
    folder: str | None = None
    """Full name of the folder in which agents work, or of which they get copies."""
    commit: str | None = None
    """What a copy begins at."""
    repository_id: int | None = None
    """The source, where a plan names one, and `refs` under which the commit is found there."""
    refs: tuple[str, ...] = ()


class Plan(Frozen):
    """The plan of a chain."""

    verb: str
    steps: tuple[Step, ...]
    limits: Limits
    workspace: WorkspaceSpec = WorkspaceSpec()
    """What `Workspaces.lease` is given for every agent step."""
    context: dict[str, Any] = Field(default_factory=dict)
    """Facts that host steps and templates may use; the pool does not read them."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """What whoever started the workflow gave it; to templates these go before facts of the same names."""
    on_restart: OnRestart = OnRestart.rerun

    @field_validator("workspace", mode="before")
    @classmethod
    def _named(cls, given: object) -> object:
        """Plans of earlier versions may hold nothing here."""
        return WorkspaceSpec() if given is None else given

    def is_gated(self, step: str) -> bool:
        """True where what comes of a step waits for a person."""
        return any(each.gate for each in self.steps if each.name == step)
