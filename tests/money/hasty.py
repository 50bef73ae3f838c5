"""A Claude agent whose gateway a test can reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from claude_pool_gh import ClaudeAgent, Clock, Database
from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.own_gateway import OwnGateway


@dataclass
class Hasty(ClaudeAgent):
    """Reads on for a short time only where a run was ended: tests need not wait for that."""

    read_on: float = 0.2
    opened: Gateway | None = None
    """The gateway of the pool that was opened last."""

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[ClaudeAgent]:
        async with super().at_work(database, clock) as bound:
            assert isinstance(bound.gateway, OwnGateway)
            self.opened = await bound.gateway._opened()
            self.opened._read_on_seconds = self.read_on
            yield bound
