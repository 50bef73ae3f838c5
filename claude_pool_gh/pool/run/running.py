"""The work that runs in this process now: how to stop it, and what it has said so far. Gone when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool_gh.pool.model.errors import Superseded
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, CapturedChange
from claude_pool_gh.pool.model.states import Move
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tasks import TaskRow


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """The result of an attempt, and what it changed: all that was paid for."""

    outcome: AgentOutcome
    work: CapturedChange | None


@dataclass(slots=True)
class RunningTask:
    """One agent at work."""

    task_id: str
    step: str
    slot: str
    started_ms: int
    line: AgentChannel
    folder: Path | None = None


@dataclass(slots=True, eq=False)
class CarriedChain:
    """A chain that this process carries. Its generation is the right to write for it."""

    chain_id: str
    generation: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the chain's cancel was asked for."""
    runs: dict[str, RunningTask] = field(default_factory=dict)
    carrier: asyncio.Task[object] | None = None
    cancel_requested: bool = False
    """As its row said when something was last written for it."""
    begun: bool = False
    """It was seen to run: unless it comes to rest, it still does."""
    taken_up: ChainRow | None = None
    """As it was when the transaction that took it up had begun it, until that is first asked for."""
    laid_out: tuple[str, list[TaskRow]] | None = None
    """A step, and its tasks that are to be run: made in the transaction that began the chain."""
    open: dict[str, AttemptResult | None] = field(default_factory=dict)
    """See `RunningChains.open`."""

    @contextmanager
    def answering_for(self, run_id: str) -> Iterator[None]:
        """Around an attempt, from before its beginning is written until its end is.

        Where the block breaks, this process still knows what became of the attempt. It does not where the block is
        left because another worker has the chain, or because this process ends.
        """
        self.open[run_id] = None
        try:
            yield
        except (Superseded, asyncio.CancelledError):
            self.open.pop(run_id, None)
            raise
        else:
            self.open.pop(run_id, None)

    def forget(self, task_ids: Collection[str]) -> None:
        """Forget these tasks' earlier attempts: what became of them is written."""
        for run_id in [each for each in self.open if each.rpartition(".")[0] in task_ids]:
            del self.open[run_id]

    def forget_all(self) -> None:
        """The chain is at rest, or another worker's."""
        for run_id in [each for each in self.open if each.startswith(f"{self.chain_id}.")]:
            del self.open[run_id]

    @contextmanager
    def running(self, run: RunningTask) -> Iterator[RunningTask]:
        """Show a run while the block lasts."""
        self.runs[run.task_id] = run
        try:
            yield run
        finally:
            del self.runs[run.task_id]


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A chain that was begun in the transaction that took it up, and what that has moved."""

    held: CarriedChain
    moves: Sequence[Move]


@dataclass(slots=True)
class RunningChains:
    """Every chain that this process carries."""

    held: dict[str, CarriedChain] = field(default_factory=dict)
    open: dict[str, AttemptResult | None] = field(default_factory=dict)
    """By run id: what this process has begun and whose end it has not written, with how it ended where it has. Such a
    row says `running`, but its process did not die."""
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and made anew, whenever a chain came to rest and its money may be there for another."""
    unwanted: set[str] = field(default_factory=set)
    """Chains that nobody waits for, while their cancel is on its way into the store."""

    def new(self, chain_id: str, generation: int) -> CarriedChain:
        """A chain that this process is about to carry."""
        return CarriedChain(chain_id, generation, open=self.open)

    @contextmanager
    def carrying(self, held: CarriedChain) -> Iterator[CarriedChain]:
        """Hold a chain while the block lasts."""
        chain_id, held.carrier = held.chain_id, asyncio.current_task()
        self.held[chain_id] = held
        if chain_id in self.unwanted:
            held.stop.set()
        try:
            yield held
        finally:
            if self.held.get(chain_id) is held:
                del self.held[chain_id]
            self.rouse()

    def rouse(self) -> None:
        """Let whoever waits for money look again."""
        freed, self.freed = self.freed, asyncio.Event()
        freed.set()

    def stop(self, chain_id: str) -> None:
        """End what runs of a chain."""
        if held := self.held.get(chain_id):
            held.stop.set()

    @contextmanager
    def stopping(self, chain_ids: Collection[str]) -> Iterator[None]:
        """End what runs of these chains, and while the block lasts what is taken up of them.

        A chain may be on its way from the queue in this moment, with a slot that another of them leaves.
        """
        self.unwanted.update(chain_ids)
        for chain_id in chain_ids:
            self.stop(chain_id)
        try:
            yield
        finally:
            self.unwanted.difference_update(chain_ids)

    def run_of(self, task_id: str) -> RunningTask | None:
        """A task's run, if it runs here now."""
        return next(
            (held.runs[task_id] for held in self.held.values() if task_id in held.runs), None
        )
