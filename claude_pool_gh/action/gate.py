"""Holds back the first request to the model until people can see on GitHub that there will be one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.action.permissions import Refusal, of_effect
from claude_pool_gh.github.effects.rows import EffectRow, is_never_written
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.pool.model.ports import Agent, AgentOutcome, AgentTask, Clock, Ending, Line
from claude_pool_gh.pool.run.agent_run import at_work
from claude_pool_gh.storage import Database, Transaction

_FIRST: Final = ("reaction", "comment", "check")
"""What must stand before money is spent: the eyes, the comment that shows the run, its check."""
_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Gate:
    """What is known of this job's standing on GitHub, and whether agents may begin."""

    home: Path
    """Where the agent's own package arrives while the run has begun."""
    before: Callable[[], Awaitable[bool]]
    """What must be done before anything is spent: whether it is. Raises nothing."""
    refusals: list[Refusal] = field(default_factory=list)
    passed: bool = False
    """Whether an agent has been let through, so that money may have been spent."""

    def refused(self, row: EffectRow, refusal: ForgeRefused) -> None:
        """Note a refusal of GitHub's; the same one once."""
        found = of_effect(row.effect, refusal)
        if found not in self.refusals:
            self.refusals.append(found)

    @property
    def is_installed(self) -> bool:
        """Whether the agent's package is there."""
        return (self.home / "agent.installed").exists()

    @property
    def is_lost(self) -> bool:
        """Whether it will never be."""
        return (self.home / "agent.failed").exists() and not self.is_installed

    async def wait(self, database: Database, stop: asyncio.Event) -> bool:
        """Wait until agents may begin; False where the run is no longer wanted."""
        while not stop.is_set():
            if self.passed or (not self.refusals and self.is_installed and await database.read(_all_stand)):
                if not self.passed:
                    importlib.invalidate_caches()  # the package has come after this process began
                    self.passed = await self.before()
                return self.passed and not stop.is_set()
            await asyncio.sleep(_LOOK_SECONDS)
        return False


def _all_stand(tx: Transaction) -> bool:
    return not is_never_written(tx, _FIRST)


@dataclass
class GatedAgent:
    """An agent that begins when its gate opens."""

    agent: Agent
    gate: Gate
    database: Database | None = None

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[None]:
        """See `Agent.at_work`."""
        self.database = database
        async with at_work(self.agent, database, clock):
            yield

    def __getattr__(self, name: str) -> Any:
        """Whatever else the agent has, such as `least` and `keeps_time`."""
        return getattr(self.agent, name)

    async def run(self, task: AgentTask, folder: Path, line: Line) -> AgentOutcome:
        """See `Agent.run`."""
        if self.database is None:
            raise RuntimeError("the agent is not at work")
        if not await self.gate.wait(self.database, line.stop):
            return AgentOutcome(
                ending=Ending.cancelled, reason="the job ended before it began", model=task.model
            )
        return await self.agent.run(task, folder, line)


def gated(gate: Gate) -> Callable[[Agent], Agent]:
    """Puts a gate before an agent."""
    return lambda agent: GatedAgent(agent, gate)
