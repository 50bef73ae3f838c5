"""What the pool's tests do again and again: an agent that spends, and waiting for what must come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Clock
from claude_pool_gh.pool.model.records import SlotFilter
from claude_pool_gh.pool.model.states import SlotState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import ledger
from claude_pool_gh.storage import Database, Transaction
from tests.patience import PATIENCE
from tests.pool.puppet import Puppet, said

GUARD = PATIENCE
"""Seconds after which a test gives up hope. Nothing is measured with it."""


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(GUARD):
        while not await holds():
            await asyncio.sleep(0.01)


async def until_here(holds: Callable[[], bool]) -> None:
    """Wait until something in this process is so."""

    async def check() -> bool:
        return holds()

    await until(check)


async def until_idle(pool: Pool, count: int) -> None:
    """Wait until all slots of the pool, so many, are idle in their records too."""

    async def idle() -> bool:
        states = [slot.state for slot in await pool.slots()]
        return states == [SlotState.idle] * count

    await until(idle)


async def until_slot_is(pool: Pool, slot_id: str, state: SlotState) -> None:
    """Wait until a slot's record says this."""

    async def there() -> bool:
        return any(slot.id == slot_id for slot in await pool.slots(SlotFilter(state=state)))

    await until(there)


async def until_it_speaks(pool: Pool, task_id: str) -> None:
    """Wait until a task's agent has said something."""
    await until_here(
        lambda: (run := pool.live.run_of(task_id)) is not None and bool(run.line.partial)
    )


@dataclass
class Payer(Puppet):
    """An agent whose acts can spend: each payment is one request to a model, set aside and settled."""

    books: list[Database] = field(default_factory=list)

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[None]:
        self.books.append(database)
        self.now_ms = clock.now_ms
        yield

    def least(self, _task: AgentTask) -> int:
        return 20_000

    async def pay(self, task: AgentTask, microdollars: int) -> bool:
        request_id, now = uuid4().hex, self.now_ms()
        run, most, step = task.run_id, task.budget_microdollars, task.step_microdollars
        await self.books[-1].transact(
            lambda tx: ledger.extend(tx, run, microdollars, most, now, step=step)
        )
        paid = await self.books[-1].transact(
            lambda tx: ledger.reserve_request(tx, request_id, run, task.model, microdollars, now)
        )
        await self.books[-1].transact(
            lambda tx: ledger.settle_request(tx, request_id, microdollars, now)
        )
        return paid


class Stepped:
    """An act whose runs each wait for a step of the test's."""

    def __init__(self) -> None:
        self._steps = asyncio.Semaphore(0)

    def step(self, count: int = 1) -> None:
        """Let so many runs end."""
        for _ in range(count):
            self._steps.release()

    async def __call__(self, task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await self._steps.acquire()
        return said(task.prompt)


class Stubborn:
    """An act that heeds neither `stop` nor, if it is `deaf`, a cancel, until it is let go."""

    def __init__(self, *, deaf: bool) -> None:
        self.deaf, self.let_go, self.cancelled = deaf, asyncio.Event(), 0

    async def __call__(self, _task: AgentTask, _folder: Path, line: AgentChannel) -> AgentOutcome:
        line.say("as far as I came")
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if not self.deaf or self.cancelled > 1:  # else a test that fails would not end
                    raise
        raise AssertionError("nobody is to use what comes this late")


class Ticker:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_786_000_000_000

    def now_ms(self) -> int:
        return self.now


@dataclass
class Witness:
    """An observer that does what a test gives it to do, in the transaction of every change."""

    act: Callable[[Transaction, str], None] = lambda _tx, _chain: None

    def changed(self, tx: Transaction, chain_id: str) -> None:
        self.act(tx, chain_id)

    def committed(self) -> None:
        pass
