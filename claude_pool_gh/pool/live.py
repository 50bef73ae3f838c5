"""What runs in this process now: how to stop it, and what it has said so far. Gone when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool_gh.pool.ports import Line
from claude_pool_gh.pool.tasks import TaskRow


@dataclass(slots=True)
class LiveRun:
    """One agent at work."""

    task_id: str
    step: str
    slot: str
    started_ms: int
    line: Line
    folder: Path | None = None


@dataclass(slots=True, eq=False)
class Held:
    """A chain that this process carries. Its generation is the right to write for it."""

    chain_id: str
    generation: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the chain's cancel was asked for."""
    runs: dict[str, LiveRun] = field(default_factory=dict)
    carrier: asyncio.Task[object] | None = None
    begun: bool = False
    """It was seen to run: unless it comes to rest, it still does."""
    laid_out: tuple[str, list[TaskRow]] | None = None
    """A step, and its tasks that are to be run: made in the transaction that began the chain."""

    @contextmanager
    def running(self, run: LiveRun) -> Iterator[LiveRun]:
        """Show a run while the block lasts."""
        self.runs[run.task_id] = run
        try:
            yield run
        finally:
            del self.runs[run.task_id]


@dataclass(slots=True)
class Live:
    """Every chain that this process carries."""

    held: dict[str, Held] = field(default_factory=dict)
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and made anew, whenever a chain came to rest and its money may be there for another."""

    @contextmanager
    def carrying(self, chain_id: str, generation: int) -> Iterator[Held]:
        """Hold a chain while the block lasts."""
        held = Held(chain_id, generation, carrier=asyncio.current_task())
        self.held[chain_id] = held
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

    def run_of(self, task_id: str) -> LiveRun | None:
        """A task's run, if it runs here now."""
        return next((held.runs[task_id] for held in self.held.values() if task_id in held.runs), None)
