"""What tests of chains have in common: scripts for agents, agents that spend, and waiting without a clock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.plan import ALONE
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Clock
from claude_pool_gh.pool.model.records import ChainResult
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.storage import Database
from tests.patience import PATIENCE
from tests.pool.puppet import Act, Puppet, echo

GUARD = PATIENCE
"""Seconds after which a test that hangs fails."""

Part = Act | AgentOutcome | list[AgentOutcome]


def step(name: str, prompt: str | None = None, **more: Any) -> ChainStep:
    """A step as a caller writes it."""
    return ChainStep.model_validate({"name": name, "prompt": prompt} | more)


def step_name(task: AgentTask) -> str:
    """The step that a task belongs to."""
    return task.id.split(".")[1] if "." in task.id else ALONE


def script(parts: Mapping[str, Part]) -> Act:
    """Acts by the step's name: an outcome, outcomes for one attempt after the other, or an act; else echoes."""

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        part = parts.get(step_name(task), echo)
        if isinstance(part, AgentOutcome):
            return part
        if isinstance(part, list):
            return part[task.attempt - 1]
        return await part(task, folder, line)

    return act


@dataclass
class Spender(Puppet):
    """A puppet whose runs may spend money, as the agent's own meter would book it."""

    database: Database | None = None
    requests: itertools.count[int] = field(default_factory=itertools.count)

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[None]:  # noqa: ARG002
        self.database = database
        yield

    def least(self, _task: AgentTask) -> int:
        return 20_000

    async def ask(self, task: AgentTask, most: int, cost: int | None = None) -> bool:
        """One request of at most `most` microdollars; without a cost it never comes back. False: not affordable."""
        assert self.database is not None
        name, now = f"{task.run_id}-request-{next(self.requests)}", 1_786_000_000_000
        await self.database.transact(
            lambda tx: ledger.extend(
                tx, task.run_id, most, task.budget_microdollars, now, step=task.step_microdollars
            )
        )
        if not await self.database.transact(
            lambda tx: ledger.reserve_request(tx, name, task.run_id, "m", most, now)
        ):
            return False
        if cost is not None:
            await self.database.transact(lambda tx: ledger.settle_request(tx, name, cost, now))
        return True


def spender(outcome: AgentOutcome | None = None, *, cost: int) -> Spender:
    """Each run costs the same, and then ends like this, or echoes."""
    agent = Spender()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        assert await agent.ask(task, cost, cost)
        return outcome or await echo(task, folder, line)

    agent.act = act
    return agent


async def ended(pool: Pool, chain_id: ChainId) -> ChainResult:
    """How the chain ends."""
    result = await pool.wait_chain(chain_id, timeout_secs=GUARD)
    assert result is not None, "the chain waits for somebody"
    return result


async def run_chain(pool: Pool, steps: list[ChainStep], **more: Any) -> ChainResult:
    """Submit, and wait for the end."""
    return await ended(pool, await pool.submit_chain(steps, **more))


async def parked(pool: Pool, chain_id: ChainId) -> None:
    """Wait until the chain waits for somebody."""
    assert await pool.wait_chain(chain_id, timeout_secs=GUARD) is None
    assert (await pool.chain_progress(chain_id)).status == "parked"


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(GUARD):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


QUICK = PoolConfig(retry_delay_secs=0.001)
"""Without pauses between attempts."""
