"""The queue as a dispatcher sees it, in process on SQLite, and shared by many processes on PostgreSQL.

In both the rows of the chains are the queue: a chain is queued in the transaction that makes it or lets it go on, and
taken up by a compare-and-set in its row. What differs is how one learns who is alive, and what others have done.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar

from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.run.heartbeat import Heartbeat
from claude_pool_gh.pool.run.worker_watch import WorkerWatch
from claude_pool_gh.pool.store import queue, slot_rows
from claude_pool_gh.pool.store.queue import Claim
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.notices import notices

T = TypeVar("T")
CHANNEL: Final = "claude_pool"
"""On which the database's triggers tell."""
BEAT_SECONDS: Final = 2.0
SILENCE_SECONDS: Final = 8.0
"""A worker that has not shown itself for so long is dead to the others, which look every `BEAT_SECONDS`."""


@dataclass(frozen=True, slots=True)
class QueueNotice:
    """Something has changed in the database."""

    chain_id: str | None = None
    """Which chain; None: any."""
    queued: bool = True
    """It may be taken up now."""
    missed: bool = False
    """Whatever was told before was not heard: only looking says what has happened."""


class Queue(Protocol):
    """The chains of one pool that wait to be carried, for one worker. Each call is one short transaction."""

    look_seconds: float
    """Between two looks for what nobody tells of."""
    watch_seconds: float
    """Between two signs of life, and two looks who has died."""

    async def join(self) -> None:
        """Be among the workers."""

    async def leave(self) -> None:
        """Be no worker any more; what this one has not brought to rest is free for the others, or its next life."""

    async def beat(self) -> None:
        """Show that this worker lives."""

    async def claim(self, *, at_most: int | None = None, below: int | None = None) -> Claim | None:
        """Take up the next chain, by priority and age.

        None when there is none, or when all workers together carry `at_most`. `below`: only one whose priority number
        is lower than this.
        """

    async def take_up(
        self,
        begin: Callable[[Transaction, Claim], T],
        *,
        at_most: int | None = None,
        below: int | None = None,
    ) -> tuple[Claim, T] | None:
        """As `claim`, with what `begin` returned in the same transaction."""

    async def take_over(self, carried: Collection[str]) -> list[Claim]:
        """Take up what dead workers have carried, and what names this worker though it is not among `carried`."""

    async def let_go(self, chain_id: str) -> None:
        """Give a chain back that is not brought to rest; it keeps its place, and its finished steps."""

    async def signals(self, chain_ids: Collection[str]) -> dict[str, tuple[int, bool]]:
        """The newest generation of each of these chains, and whether its cancel was asked for."""

    async def overdue(self) -> list[tuple[str, int]]:
        """Id and generation of the chains that nobody took up before their deadline."""

    def heard(self) -> AsyncIterator[QueueNotice]:
        """The changes that others make to chains, for ever, as soon as they are committed.

        It may end where nobody ever tells.
        """

    @property
    def alone(self) -> bool:
        """True where this was the only worker on the database at the last look."""


@dataclass(slots=True)
class _Rows(ABC):
    """The rows that both have in common."""

    database: Database
    clock: Clock
    worker: str
    pool: str
    _others: frozenset[str] | None = None

    @property
    def alone(self) -> bool:
        """See `Queue.alone`."""
        return self._others is not None and not self._others

    async def leave(self) -> None:
        """See `Queue.leave`."""
        await self.database.transact(lambda tx: _forget(tx, [self.worker]))

    async def claim(self, *, at_most: int | None = None, below: int | None = None) -> Claim | None:
        """See `Queue.claim`."""
        return await self.database.transact(
            lambda tx: queue.claim(tx, self.worker, pool=self.pool, at_most=at_most, below=below)
        )

    async def take_up(
        self,
        begin: Callable[[Transaction, Claim], T],
        *,
        at_most: int | None = None,
        below: int | None = None,
    ) -> tuple[Claim, T] | None:
        """See `Queue.take_up`."""

        def both(tx: Transaction) -> tuple[Claim, T] | None:
            claim = queue.claim(tx, self.worker, pool=self.pool, at_most=at_most, below=below)
            return None if claim is None else (claim, begin(tx, claim))

        return await self.database.transact(both)

    async def let_go(self, chain_id: str) -> None:
        """See `Queue.let_go`."""
        await self.database.transact(lambda tx: queue.release(tx, chain_id, self.worker))

    async def signals(self, chain_ids: Collection[str]) -> dict[str, tuple[int, bool]]:
        """See `Queue.signals`."""
        return await self.database.read(lambda tx: queue.signals(tx, chain_ids))

    async def overdue(self) -> list[tuple[str, int]]:
        """See `Queue.overdue`."""
        return await self.database.read(
            lambda tx: queue.overdue(tx, self.clock.now_ms(), pool=self.pool)
        )

    async def take_over(self, carried: Collection[str]) -> list[Claim]:
        """See `Queue.take_over`."""
        seen = await self.database.read(queue.beats)
        alive = self._living(seen) | {self.worker}
        self._others = frozenset(seen) - {self.worker}
        if dead := [worker for worker in seen if worker not in alive]:
            await self.database.transact(lambda tx: _forget(tx, dead))
        left = await self.database.read(lambda tx: queue.orphans(tx, alive, pool=self.pool))
        # Claimed in a transaction whose commit was not answered: the row says so, and nobody carries it.
        mine = await self.database.read(lambda tx: queue.carried_by(tx, self.worker))
        left += [each for each in mine if each[0] not in carried]
        taken = [
            await self.database.transact(
                partial(queue.take, chain_id=chain_id, generation=generation, worker=self.worker)
            )
            for chain_id, generation in left
        ]
        return [claim for claim in taken if claim is not None]

    @abstractmethod
    def _living(self, seen: dict[str, int]) -> set[str]:
        """Which of these workers, each with how often it has shown itself, are alive."""


_open_here: Final[set[str]] = set()
"""The workers of this process."""
os.register_at_fork(after_in_child=_open_here.clear)


@dataclass(slots=True)
class InProcessQueue(_Rows):
    """On a SQLite file, which one process at a time dispatches from: a worker of another process is a dead one.

    So nobody has to show that he lives. What a command beside it decides, such as a cancel from a shell, is found by
    looking.
    """

    look_seconds: float = 1.0
    watch_seconds: float = 5.0

    async def join(self) -> None:
        """See `Queue.join`."""
        _open_here.add(self.worker)
        await self.database.transact(lambda tx: queue.beat(tx, self.worker, self.clock.now_ms()))

    async def leave(self) -> None:
        """See `Queue.leave`."""
        _open_here.discard(self.worker)
        await _Rows.leave(self)

    async def beat(self) -> None:
        """Nobody looks."""

    async def heard(self) -> AsyncIterator[QueueNotice]:
        """Nobody tells."""
        nothing: tuple[QueueNotice, ...] = ()
        for each in nothing:
            yield each

    def _living(self, seen: dict[str, int]) -> set[str]:
        return _open_here & set(seen)


@dataclass(slots=True)
class SharedQueue(_Rows):
    """On PostgreSQL: the database tells every worker what was queued, cancelled or taken over, and the workers beat.

    Telling is the fast way and looking the sure one: a lost connection, or a pooler that passes no notices on, only
    makes it slower.
    """

    look_seconds: float = BEAT_SECONDS
    watch_seconds: float = BEAT_SECONDS
    watch: WorkerWatch = field(default_factory=lambda: WorkerWatch(SILENCE_SECONDS))
    _heartbeat: Heartbeat = field(init=False)

    def __post_init__(self) -> None:
        """The thread that beats while the loop cannot."""

        def beat() -> None:
            self.database.transact_here(lambda tx: queue.beat_again(tx, self.worker))

        self._heartbeat = Heartbeat(beat, self.watch_seconds)

    async def join(self) -> None:
        """See `Queue.join`."""
        await self.beat()
        self._heartbeat.start()

    async def leave(self) -> None:
        """See `Queue.leave`."""
        self._heartbeat.end()
        await _Rows.leave(self)

    async def beat(self) -> None:
        """See `Queue.beat`."""
        await self.database.transact(lambda tx: queue.beat(tx, self.worker, self.clock.now_ms()))
        self._heartbeat.note()

    async def heard(self) -> AsyncIterator[QueueNotice]:
        """See `Queue.heard`."""
        async for text in notices(self.database, CHANNEL):
            if text is None:
                yield QueueNotice(missed=True)
                continue
            told = json.loads(text)
            if told["pool"] == self.pool:
                yield QueueNotice(told["chain"], told["queued"])

    def _living(self, seen: dict[str, int]) -> set[str]:
        return self.watch.living(seen)


def queue_on(database: Database, clock: Clock, worker: str, pool: str) -> Queue:
    """The queue that fits the database."""
    kind = InProcessQueue if database.engine.dialect.name == "sqlite" else SharedQueue
    return kind(database, clock, worker, pool)


def _forget(tx: Transaction, workers: list[str]) -> None:
    slot_rows.forget_workers(tx, workers)
    for worker in workers:
        queue.leave(tx, worker)
