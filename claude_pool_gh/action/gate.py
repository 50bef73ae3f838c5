"""Holds back a chain's first request to the model until people can see on GitHub that there will be one."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from claude_pool_gh.action.permissions import Refusal, of_effect
from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.agent.connection import Credential
from claude_pool_gh.github.effects import lookups
from claude_pool_gh.github.effects.rows import EffectRow, Unreadable
from claude_pool_gh.github.errors import ForgeRefused
from claude_pool_gh.pool.model.ports import (
    Agent,
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Clock,
    Ending,
)
from claude_pool_gh.pool.run.agent_run import at_work
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.storage import Database

_FIRST: Final = ("reaction", "comment", "check")
"""What must stand before money is spent: the eyes, the comment that shows the run, its check."""
_LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Gate:
    """The job's standing on GitHub as far as it is known, and which of its chains may begin."""

    home: Path
    """Where the agent's own package arrives while the run has begun."""
    before: Callable[[], Awaitable[bool]]
    """What must be done before a chain spends anything: whether it is. Raises nothing."""
    refusals: list[Refusal] = field(default_factory=list)
    passed: set[str] = field(default_factory=set)
    """The chains whose agents were let through, so that they may have spent money."""
    is_refused: bool = False
    """Whether something will not stand that people must see before money is spent."""
    _one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def refused(self, row: EffectRow | Unreadable, refusal: ForgeRefused) -> None:
        """Note that something will not stand; the same refusal once."""
        self.is_refused = self.is_refused or row.kind in _FIRST
        found = of_effect(row.kind, refusal)
        if found not in self.refusals:
            self.refusals.append(found)

    @property
    def is_installed(self) -> bool:
        """True where the agent's package is there."""
        return (self.home / "agent.installed").exists()

    @property
    def is_lost(self) -> bool:
        """True where it will never be."""
        return (self.home / "agent.failed").exists() and not self.is_installed

    @property
    def is_shut(self) -> bool:
        """True where no further chain will pass."""
        return self.is_refused or self.is_lost

    async def wait(self, database: Database, task_id: str, stop: asyncio.Event) -> bool:
        """Wait until a task's agent may begin; False where its run is no longer wanted."""
        chain_id = await database.read(partial(lookup.chain_of_task, task_id=task_id))
        if chain_id in self.passed:
            return not stop.is_set()
        wanted = await database.read(partial(lookups.versions_wanted, kinds=_FIRST))
        while not stop.is_set():
            ready = not self.is_shut and self.is_installed
            if ready and await database.read(partial(lookups.stand, versions=wanted)):
                return await self._pass(chain_id) and not stop.is_set()
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _pass(self, chain_id: str) -> bool:
        async with self._one_by_one:
            if chain_id not in self.passed:
                importlib.invalidate_caches()  # the package has come after this process began
                if not await self.before():
                    return False
                self.passed.add(chain_id)
            return True


@dataclass
class GatedAgent:
    """An agent that begins when its gate opens."""

    agent: Agent
    gate: Gate
    database: Database | None = None

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[GatedAgent]:
        """See `AtWork`."""
        async with at_work(self.agent, database, clock) as agent:
            yield GatedAgent(agent, self.gate, database)

    def __getattr__(self, name: str) -> Any:
        """Whatever else the agent has, such as `least` and `keeps_time`."""
        return getattr(self.agent, name)

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        """See `Agent.run`."""
        if self.database is None:
            raise RuntimeError("the agent is not at work")
        if not await self.gate.wait(self.database, task.id, line.stop):
            return AgentOutcome(
                ending=Ending.cancelled, reason="the job ended before it began", model=task.model
            )
        return await self.agent.run(task, folder, line)


def gated(gate: Gate, credential: Credential | None = None) -> Callable[[Agent], Agent]:
    """Puts a gate before an agent. `credential`: what the model's API knows this job by, in place of a key."""

    def guard(agent: Agent) -> Agent:
        if isinstance(agent, ClaudeAgent):
            agent.credential = credential
        return GatedAgent(agent, gate)

    return guard
