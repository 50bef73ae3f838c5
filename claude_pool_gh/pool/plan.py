"""A chain's plan: every step in full, frozen when the chain is made.

It is stored with the chain, so a chain that is resumed after a crash, an upgrade or a change of configuration
runs what was announced and paid for.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MICRODOLLARS = 1_000_000


class Frozen(BaseModel):
    """Base of the pool's stored values."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HostCall(Frozen):
    """A step done by the host itself, without a model."""

    kind: Literal["host"] = "host"
    name: str
    call: str
    """Name under which the wiring registered the function."""


class AgentRun(Frozen):
    """A step done by an agent, once, or once for each item of an earlier result."""

    kind: Literal["agent"] = "agent"
    name: str
    system: str
    prompt: str
    """Template; see `render`."""
    each: str | None = None
    """Reference to a list in an earlier result, such as `brief.groups`; one task for each item."""
    title: str = ""
    """Template for what a person reads while the task runs."""
    tools: tuple[str, ...] = ()
    model: str
    effort: str | None = None
    turns: Annotated[int, Field(ge=1)] = 30
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of the chain's budget that this step's tasks may use together."""
    output: dict[str, Any] | None = None
    """JSON Schema of the typed result."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1


Step = Annotated[HostCall | AgentRun, Field(discriminator="kind")]


class Limits(Frozen):
    """Money in microdollars, time in seconds."""

    task: int
    chain: int
    wall_seconds: float
    idle_seconds: float


class Plan(Frozen):
    """What a chain will do."""

    verb: str
    steps: tuple[Step, ...]
    limits: Limits
    workspace: dict[str, Any] | None = None
    """What `Workspaces.lease` is given for every agent step."""
    context: dict[str, Any] = Field(default_factory=dict)
    """Facts that host steps and templates may use; the pool does not read them."""
