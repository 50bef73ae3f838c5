"""What the pool asks of the rooms above it. They satisfy these Protocols structurally; `service` wires them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from claude_pool_gh.storage import Transaction

JSON = Any
"""A value that survives `json.dumps` and back unchanged."""


class Clock(Protocol):
    """Wall time for records; durations are measured by whoever needs them."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...


class Ending(StrEnum):
    """Why an agent's run ended."""

    completed = "completed"
    failed = "failed"
    out_of_budget = "out_of_budget"
    out_of_turns = "out_of_turns"
    quota = "quota"
    timed_out = "timed_out"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTask:
    """One run of an agent, complete: nothing else is looked up while it runs."""

    id: str
    attempt: int
    system: str
    prompt: str
    tools: tuple[str, ...]
    model: str
    effort: str | None
    turns: int
    schema: Mapping[str, Any] | None
    wall_seconds: float
    idle_seconds: float

    @property
    def run_id(self) -> str:
        """Names this attempt; money is reserved under it."""
        return f"{self.id}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOutcome:
    """How a run ended. What it cost is not here: only the ledger knows that."""

    ending: Ending
    reason: str = ""
    """For a person, when it did not complete."""
    retryable: bool = False
    text: str = ""
    structured: JSON = None
    turns: int = 0
    elapsed_ms: int = 0
    model: str = ""
    looked_at: JSON = field(default_factory=dict)
    """Files, searches and denials, as lists of texts."""
    transcript: tuple[JSON, ...] = ()
    """What happened, in order, redacted."""


class Agent(Protocol):
    """Runs one task in a folder."""

    async def run(self, task: AgentTask, folder: Path) -> AgentOutcome:
        """Run to the end. Never raises for what an agent can do wrong; a cancel stops the whole process tree."""
        ...


class Workspace(Protocol):
    """A folder that one task has to itself."""

    @property
    def folder(self) -> Path:
        """Where the agent works."""
        ...


class Workspaces(Protocol):
    """Lends folders to tasks."""

    def lease(self, run_id: str, slot: int, spec: JSON) -> AbstractAsyncContextManager[Workspace]:
        """A fresh folder as `spec` (the plan's own word) describes; gone at the end, its work captured."""
        ...


class Observer(Protocol):
    """Told of every change of a chain, in the transaction that makes it, so that what it notes is as durable."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """The chain, one of its steps or one of its tasks has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """A host step's result, and what must be committed together with it."""

    result: JSON
    commit: Callable[[Transaction], None] | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A host step's word that the chain ends here."""

    outcome: JSON
    result: JSON = None
    commit: Callable[[Transaction], None] | None = None


@dataclass(frozen=True, slots=True)
class HostStepContext:
    """What a host step may look at: the chain's plan and the results so far."""

    chain_id: str
    plan: JSON
    results: Mapping[str, JSON]


HostStep = Callable[[HostStepContext], Awaitable[Done | Finish]]
"""A step that runs in this process, without a model. It may be repeated after a crash, so it must not act
outside: what should happen outside goes into `commit` as a row."""
