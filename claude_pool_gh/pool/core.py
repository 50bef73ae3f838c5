"""The core of an open pool. Every method of `Pool` works on it, see the modules beside this one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from claude_pool_gh.pool.background_writes import BackgroundWrites
from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import PoolShutdown
from claude_pool_gh.pool.model.ports import Clock, Observer, Workspaces
from claude_pool_gh.pool.run.chain_factory import ChainFactory
from claude_pool_gh.pool.run.chain_waiters import ChainWaiters
from claude_pool_gh.pool.run.dispatcher import Dispatcher
from claude_pool_gh.pool.run.feed import Feed, recorded
from claude_pool_gh.pool.run.running import RunningChains
from claude_pool_gh.pool.run.slots import Slots
from claude_pool_gh.pool.run.supervisor import Supervisor
from claude_pool_gh.pool.store.closed import CLOSED, CLOSED_AND_GONE, ClosedDatabase
from claude_pool_gh.storage import Database, Transaction

T = TypeVar("T")
LOOK_SECONDS = 0.1


@dataclass(slots=True, eq=False, kw_only=True)
class Core:
    """The parts of one open pool."""

    config: PoolConfig
    database: Database
    """Once the pool is closed, one that raises PoolShutdown."""
    queue: str
    """Under which its chains are queued; see `places`."""
    kept: bool
    """Whether its store is there after its end."""
    worker: str
    started_ms: int
    workspaces: Workspaces
    observer: Observer
    clock: Clock
    orders: ChainFactory
    slots: Slots
    live: RunningChains
    feed: Feed
    waiting: ChainWaiters
    dispatcher: Dispatcher
    supervisor: Supervisor
    background_writes: BackgroundWrites = field(default_factory=BackgroundWrites)
    closing: bool = False
    """Whether it takes no more work."""
    places: Iterator[int] = field(default_factory=itertools.count)
    """Tell apart what is made in the same millisecond."""

    async def write(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:
        """One transaction; what it changes is told to whoever listens, once it is committed."""
        self.waiting.check_loop()
        answer, moves = await self.database.transact(recorded(work), forever=forever)
        self.observer.committed()
        self.feed.publish(moves)
        return answer

    def check_open(self) -> None:
        """Raise PoolShutdown for a pool that is closed."""
        if isinstance(self.database, ClosedDatabase):
            raise PoolShutdown(self.closed_words)

    @property
    def closed_words(self) -> str:
        """The words about the pool once it is closed."""
        return CLOSED if self.kept else CLOSED_AND_GONE
