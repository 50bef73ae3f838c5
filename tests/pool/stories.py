"""Chains that pass every kind of commit the pool makes, with an agent whose runs are counted and paid for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.plan import OnRestart
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Clock, Ending
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.storage import Database, Retries, Transaction, migrations
from tests.pool.kit import GUARD, ended, parked, step, step_name
from tests.pool.puppet import Gate, Puppet, failed, said
from tests.storage.flaky import Flaky

COST = 1_000
QUICK = PoolConfig(retry_delay_secs=0.001)
BRIEFLY = Retries(seconds=0.05, first_delay=0.001, longest_delay=0.01)
SOON = Retries(seconds=GUARD, first_delay=0.001, longest_delay=0.01)
ASKS = ChainOptions(on_restart=OnRestart.ask)
"""A chain that stands still at the first sign of a process that died. In none of these did one die."""


@dataclass
class Counted(Puppet):
    """Pays for each of its runs, and then answers, or does what `act` is told to do."""

    database: Database | None = None
    before_it_ends: Callable[[AgentTask], None] = lambda _task: None

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[None]:  # noqa: ARG002
        self.database = database
        yield

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        assert self.database is not None
        name = uuid4().hex

        def reserve(tx: Transaction) -> bool:
            return ledger.reserve_request(tx, name, task.run_id, "m", 3 * COST, 1_786_000_000_000)

        def settle(tx: Transaction) -> None:
            ledger.settle_request(tx, name, COST, 1_786_000_000_000)

        assert await self.database.transact(reserve, forever=True)
        outcome = await super().run(task, folder, line)
        await self.database.transact(settle, forever=True)
        self.before_it_ends(task)
        return outcome

    @property
    def runs(self) -> list[str]:
        """Which attempts were made, in order of their names."""
        return sorted(task.run_id.partition(".")[2] for task in self.seen)


@dataclass(frozen=True)
class Story:
    """What is asked of a pool, and which runs that takes."""

    name: str
    tell: Callable[[Pool, Counted], Awaitable[None]]
    runs: list[str] = field(default_factory=list)


async def one_task(pool: Pool, _agent: Counted) -> None:
    task_id = await pool.submit("one")
    result = await pool.wait(task_id, timeout_secs=GUARD)
    assert (result.success, result.output, result.cost_microdollars) == (True, "<one>", COST)


async def steps(pool: Pool, agent: Counted) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        if step_name(task) == "last" and task.attempt == 1:
            return failed(retryable=True)
        return said(f"<{task.prompt}>")

    agent.act = act
    both = tuple(step(name, f"{name} after {{previous.output}}") for name in ("left", "right"))
    chain_id = await pool.submit_chain(
        [
            step("first", "one"),
            step("second", "two"),
            step("both", branches=both),
            step("last", "end", retries=1),
        ],
        options=ASKS,
    )
    result = await ended(pool, chain_id)
    assert result.success
    assert result.total_cost_microdollars == 6 * COST


async def gate(pool: Pool, _agent: Counted) -> None:
    steps = [step("draft", "write", gate=True), step("after", "go on")]
    chain_id = await pool.submit_chain(steps, options=ASKS)
    await parked(pool, chain_id)
    assert await pool.reject(chain_id, "shorter")
    await parked(pool, chain_id)
    await pool.approve(chain_id)
    result = await ended(pool, chain_id)
    assert result.success
    assert result.total_cost_microdollars == 3 * COST


async def cancel(pool: Pool, agent: Counted) -> None:
    agent.act = Gate()
    both = tuple(step(name, name) for name in ("left", "right"))
    chain_id = await pool.submit_chain(
        [step("both", branches=both), step("after", "never")], options=ASKS
    )
    async with asyncio.timeout(GUARD):
        while agent.running < 2:
            await asyncio.sleep(0.005)
    assert await pool.cancel_chain(chain_id)
    result = await ended(pool, chain_id)
    assert (result.success, result.verdict) == (False, Ending.cancelled)
    assert result.total_cost_microdollars == 2 * COST


STORIES = [
    Story("one task", one_task, ["1"]),
    Story(
        "steps and branches",
        steps,
        [
            "both.0.1",
            "both.1.1",
            "first.0.1",
            "last.0.1",
            "last.0.2",
            "second.0.1",
        ],
    ),
    Story("a gate, a rejection and an approval", gate, ["after.0.1", "draft.0.1", "draft.0.2"]),
    Story("a cancel", cancel, ["both.0.1", "both.1.1"]),
]


def books(tx: Transaction) -> dict[str, list[tuple[int | None, bool]]]:
    """What was settled at each level, and whether that is only an upper bound."""
    found: dict[str, list[tuple[int | None, bool]]] = {"chain": [], "task": [], "request": []}
    columns = (reservations.c.level, reservations.c.settled, reservations.c.upper_bound)
    for level, settled, bound in tx.execute(sa.select(*columns)):
        found[level].append((settled, bool(bound)))
    return found


def opened(url: str, retries: Retries) -> Database:
    """A database with its tables, which need not reach the disk: nothing here cuts the power."""
    database = Database.open(url, retries=retries)
    if database.engine.dialect.name == "sqlite":
        sa.event.listen(
            database.engine, "connect", lambda raw, _record: raw.execute("PRAGMA synchronous=OFF")
        )
    migrations.upgrade(database.engine)
    return database


async def told(
    story: Story,
    url: str,
    state: Path,
    prepare: Callable[[Flaky, Counted], None],
    retries: Retries = SOON,
) -> Flaky:
    """Tell a story on a database that a test has prepared to fail, and check that it makes no difference."""
    database = opened(url, retries)
    flaky, agent = Flaky(database), Counted()
    prepare(flaky, agent)
    try:
        async with Pool.open(agent, state=state, store=database, config=QUICK, slots=2) as pool:
            await story.tell(pool, agent)
            assert agent.runs == story.runs, "each run happened once"
            found = await database.read(books, forever=True)
            assert found["chain"] == [(len(story.runs) * COST, False)], "and was paid for once"
            assert found["task"] == found["request"] == [(COST, False)] * len(story.runs)
            assert {slot.state.value for slot in await pool.slots()} == {"idle"}
            assert not pool.live.held
            assert not pool.live.open
    finally:
        database.close()
    return flaky
