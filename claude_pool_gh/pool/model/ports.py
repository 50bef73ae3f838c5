"""The ports of the pool to the packages above it. They satisfy these Protocols; `service` and `local` wire them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.config import READING, Isolation, PermissionMode
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.pool.model.plan import Plan, WorkspaceSpec
from claude_pool_gh.storage import Database, Transaction

JSON = Any
"""A value that survives `json.dumps` and back unchanged."""


class Clock(Protocol):
    """Wall time for records; durations are measured by whoever needs them."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        ...


class Ending(StrEnum):
    """The reason why an agent's run ended."""

    completed = "completed"
    failed = "failed"
    out_of_budget = "out_of_budget"
    out_of_turns = "out_of_turns"
    quota = "quota"
    timed_out = "timed_out"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The place where an agent keeps what was said, so that a later task can go on with it."""

    home: Path
    """A folder of the slot's own, among those of the other slots."""
    resume: str | None
    """Session id of the conversation that goes on, on whichever slot it was kept; None begins a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTask:
    """One run of an agent, complete: nothing else is looked up while it runs."""

    id: str
    attempt: int
    system: str
    """In place of the agent's own system prompt, unless it is empty."""
    prompt: str
    model: str
    """Empty: the agent's own choice."""
    turns: int
    wall_seconds: float
    idle_seconds: float
    more_system: str = ""
    """After whichever system prompt holds."""
    tools: tuple[str, ...] = READING
    allowed_tools: tuple[str, ...] = ()
    disallowed_tools: tuple[str, ...] = ()
    mcp_servers: Mapping[str, JSON] = field(default_factory=dict)
    strict_mcp_config: bool = True
    permission_mode: PermissionMode = PermissionMode.dont_ask
    detect_permission_prompts: bool = False
    fallback_model: str | None = None
    effort: str | None = None
    schema: Mapping[str, Any] | None = None
    conversation: Conversation | None = None
    budget_microdollars: int | None = None
    """Most that this run may cost: the task's cap without what its earlier attempts cost or, where less is left of a
    wider cap and the agent is not `BudgetAware`, this run's part of that."""
    step_microdollars: int | None = None
    """Most that all runs of its step may come to together; None: no more than the chain."""

    @property
    def run_id(self) -> str:
        """Names this attempt; money is reserved under it."""
        return f"{self.id}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOutcome:
    """The outcome of a run."""

    ending: Ending
    reason: str = ""
    """For a person, when it did not complete."""
    retryable: bool = False
    operator: bool = False
    """Whether it fails again until whoever runs this server changes something: its key, its credit, its model."""
    short: int = 0
    """Microdollars that the run would have had to have to go on, where its money did not reach."""
    broken: bool = False
    """The run could not be carried out at all: its slot, not its task, is to blame."""
    text: str = ""
    """The answer; of a run that was stopped, what it had said so far."""
    structured: JSON = None
    turns: int = 0
    elapsed_ms: int = 0
    """How long it took; 0: as the pool has measured."""
    model: str = ""
    session_id: str | None = None
    command: str = ""
    """What was run, when it did not complete."""
    exit_code: int | None = None
    stderr: str = ""
    """Last lines, when it did not complete."""
    looked_at: Mapping[str, JSON] = field(default_factory=dict)
    """Files, searches and denials, as lists of texts."""
    transcript: tuple[JSON, ...] = ()
    """What happened, in order, redacted."""
    cost_microdollars: int = 0
    """What the run cost besides all that was booked while it ran, by `AgentChannel.spending` or a gateway.

    For an agent without `least` the pool has set `AgentTask.budget_microdollars` aside: as long as all that it spends
    is no more than that, no cap is exceeded. What is beyond it, and all that a `BudgetAware` agent says here, was not
    set aside; it is booked in full, and a cap only stops the tasks after it."""


PARTIAL_LIMIT: Final = 20_000


@dataclass(slots=True)
class Spending:
    """One thing that an agent pays for. Set `cost` when it is known; what is left at None counts at its most."""

    most: int
    """Microdollars that are reserved."""
    cost: int | None = None
    """Microdollars that it cost, at most `most`."""


class RunBudget(Protocol):
    """The money of one run; the pool gives each run its own."""

    def spending(self, most: int) -> AbstractAsyncContextManager[Spending]:
        """See `AgentChannel.spending`."""
        ...


@dataclass(slots=True)
class AgentChannel:
    """The line between the pool and an agent at work."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the run is no longer wanted: the agent ends at once, and says how far it came."""
    partial: str = ""
    """The newest of what the agent has said, at most 20,000 characters."""
    run_budget: RunBudget | None = None
    heard: Callable[[], None] = lambda: None
    """Told that there is more of it."""

    @arguments.checked
    def spending(self, most: int) -> AbstractAsyncContextManager[Spending]:
        """Reserve `most` microdollars durably before something is paid for, and book at the end what it cost.

            async with line.spending(most=50_000) as spent:
                answer = await ask_a_model()
                spent.cost = answer.microdollars

        No cap is exceeded: raises CapReached, and then reserves nothing, where `most` is more than the run has left.
        Where the block ends without a cost, also by a crash, all of `most` is booked, marked as an upper bound.
        """
        if self.run_budget is None:
            raise RuntimeError("this line belongs to no pool: there is no money behind it")
        return self.run_budget.spending(most)

    def say(self, text: str) -> None:
        """More of the agent's prose, as it comes."""
        self.partial = (self.partial + text)[-PARTIAL_LIMIT:]
        self.heard()


class Agent(Protocol):
    """Runs one task in a folder. A class with `run` alone is one; what else it may have is written below.

    - `at_work`: see `AtWork`.
    - `least`: see `BudgetAware`.
    - `keeps_time = True`: it ends its runs itself when `AgentTask.wall_seconds` are over, so that it can say how far
      it came; the pool then waits 15 seconds longer. Any other agent's `run` is cancelled when they are over.
    """

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        """Run to the end, and say how it ended.

        When `line.stop` is set it should end the run and give back what there is; five seconds later, and when its
        time is over, it is cancelled, and then leaves nothing behind. What it raises fails the task, with the
        exception's text for a reason. A result that does not match `task.schema` fails it too.
        """
        ...


class AtWork(Protocol):
    """An agent that has something to open before its first run, and to close after its last one."""

    def at_work(
        self, database: Database, clock: Clock
    ) -> AbstractAsyncContextManager[Agent | None]:
        """Around everything that the agent is asked to run.

        It may yield another agent of its class, with what this pool has opened: that one runs, and several pools can
        have this one. An agent around another one enters that one's, and yields itself, or one like it, around what
        that one yields.
        """
        ...


class BudgetAware(Protocol):
    """An agent that reserves each thing that it pays for, and knows what a run needs at the least.

    Under a tight budget its runs begin with that, and hold more as they need it. The runs of any other agent begin with
    all that they may cost: of what is left, an equal part for each slot.
    """

    def least(self, task: AgentTask) -> int:
        """Microdollars below which the run could not even begin; it is refused with less.

        For an agent that has no such method these are 20,000, two cents: a task whose cap is lower is refused.

        Asked when a task is submitted, and again before each attempt. Raises ValueError for settings that the agent
        cannot run with, in words for whoever submits.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedChange:
    """The changes of a run in its folder."""

    base: str
    """The commit it began at."""
    commit: str
    """The same with the changes in it."""
    patch: bytes
    digest: str
    """SHA-256 of the patch."""


class Workspace(Protocol):
    """A folder that one run has to itself."""

    @property
    def folder(self) -> Path:
        """The folder where the agent works."""
        ...

    async def capture(self) -> CapturedChange | None:
        """The run's changes, kept so that another can begin there; None for none, or where nothing is kept."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRequest:
    """The request of a run for its folder."""

    run_id: str
    slot: str
    spec: WorkspaceSpec
    """The plan's own word."""
    start: CapturedChange | None = None
    """Begin with this work of an earlier step in place."""
    base_dir: Path | None = None
    """Make folders here; None: where the workspaces usually do."""
    writes: bool = True
    """Whether the run may change files; one that only reads may share its folder with others."""


class Workspaces(Protocol):
    """Lends folders to runs."""

    @property
    def folder(self) -> Path | None:
        """The folder, absolute, in which agents work or of which they get copies: chains of another are left alone.

        None where a plan names its source itself, so that any worker can carry any chain.
        """
        ...

    async def pinned(self, isolation: Isolation) -> WorkspaceSpec:
        """The part of a new chain's plan about its workspace, as things stand now. Raises NoWorkspace."""
        ...

    def lease(self, wanted: WorkspaceRequest) -> AbstractAsyncContextManager[Workspace]:
        """A folder as wanted; gone at the end. Raises NoWorkspace rather than lend another one."""
        ...


class Observer(Protocol):
    """Told of every change of a chain, in the transaction that makes it, so that what it notes is as durable."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """The chain, one of its steps or one of its tasks has changed."""
        ...

    def committed(self) -> None:
        """Learn that all it was told of is durable now; called in the event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """A host step's result, and what must be committed together with it."""

    result: JSON
    commit: Callable[[Transaction], None] | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A host step's word that the chain ends here."""

    outcome: Outcome
    result: JSON = None
    commit: Callable[[Transaction], None] | None = None

    def __post_init__(self) -> None:
        """Raises TypeError for an outcome of another type, which fails the step in these words."""
        if not isinstance(self.outcome, Outcome):
            raise TypeError(f"`Finish` takes an Outcome, not a {type(self.outcome).__name__}")


@dataclass(frozen=True, slots=True)
class HostStepContext:
    """The facts that a host step may look at: the chain's plan and the results so far."""

    chain_id: str
    plan: Plan
    results: Mapping[str, JSON]


HostStep = Callable[[HostStepContext], Awaitable[Done | Finish]]
"""A step that runs in this process, without a model. It may be repeated after a crash, so it must not act
outside: what should happen outside goes into `commit` as a row."""
