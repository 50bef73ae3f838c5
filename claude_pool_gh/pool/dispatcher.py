"""Takes chains up from the queue and carries each in an asyncio task of this process.

How it works. The chains' rows are the queue, and the truth: to take a chain up is to write this worker's name and the
next generation into its row, and whoever writes for a chain must still hold its newest generation. So nothing else has
to be durable. A worker shows that it lives by counting up in its own row; where one has stopped, because its process is
gone or its count stands still, another takes its chains up under the next generation. So does its own next life.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from claude_pool_gh.pool import chains, queue, slot_rows
from claude_pool_gh.pool.live import Live
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Clock
from claude_pool_gh.pool.queue import Claim
from claude_pool_gh.pool.workers import Watch
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

_PULSE_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""A worker that has not shown itself for so long is dead to the others."""


class ChainEvents(Protocol):
    """What happens to chains here, and what decides how many there may be."""

    async def carry(self, claim: Claim) -> None:
        """Bring a chain to rest."""

    def taken(self, claim: Claim) -> None:
        """Told of each chain that was taken up from the queue, in their order, before it is carried."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Told, in the transaction, of each chain that ended without being carried."""

    def ended(self, chain_id: str) -> None:
        """Told of it again once that is committed."""

    def room(self) -> int:
        """How many chains this process carries at most, as of now."""

    def next_priority(self) -> int | None:
        """Of what is carried and has no slot yet; a chain that goes before it is taken up without room."""


@dataclass(slots=True)
class Dispatcher:
    """Carries the chains of one pool that its worker takes up."""

    database: Database
    events: ChainEvents
    live: Live
    clock: Clock
    worker: str
    pool: str = chains.MAIN
    at_most: int | None = None
    """How many chains all workers on the database carry at most."""
    silence: float = SILENCE_SECONDS
    _carried: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """The chain that each task carries."""
    _draining: bool = False
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Between a claim and its task, nobody may take the chain for one that this worker has lost."""
    _loops: list[asyncio.Task[None]] = field(default_factory=list)
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.silence)

    @property
    def running(self) -> int:
        """How many chains run in this process."""
        return len(self._carried)

    def is_alone(self) -> bool:
        """Whether no other worker was on the database when this one last looked."""
        return set(self._watch.seen) <= {self.worker}

    async def launch(self) -> None:
        """Start taking work, first of all what an earlier process left unfinished."""
        await self._beat()
        await self.take_over()
        self._loops = [asyncio.create_task(self._dispatch()), asyncio.create_task(self._pulse())]

    def wake(self) -> None:
        """A chain was queued, or a slot was added."""
        self._arrived.set()

    def drain(self) -> None:
        """Take up no more chains; those that run go on."""
        self._draining = True

    async def take_over(self) -> None:
        """Take up every unfinished chain whose worker is gone, and forget that worker."""
        seen = await self.database.read(queue.beats)
        alive = self._watch.living(seen) | {self.worker}
        dead = [worker for worker in seen if worker not in alive]
        if dead:
            await self.database.transact(lambda tx: _forget(tx, dead))
        async with self._claiming:
            orphans = await self.database.read(lambda tx: queue.orphans(tx, alive, pool=self.pool))
            # Claimed in a transaction whose commit was not answered: the row says so, and nobody carries it.
            mine = await self.database.read(lambda tx: queue.carried_by(tx, self.worker))
            lost = [each for each in mine if each[0] not in self._carried.values()]
            for chain_id, generation in [*orphans, *lost]:
                claim = await self.database.transact(
                    partial(queue.take, chain_id=chain_id, generation=generation, worker=self.worker)
                )
                if claim is not None:
                    self._start(claim)

    async def close(self) -> None:
        """Stop taking work and cancel what runs; the next start goes on with it."""
        running = [*self._loops, *self._carried]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self.database.transact(lambda tx: _forget(tx, [self.worker]))
        except Exception:  # the others see by themselves that it is gone
            logger.exception("not signed off", extra={"action": "worker_left", "worker": self.worker})

    async def _dispatch(self) -> None:
        """Take up queued chains while there is room: at once when one comes or goes, else every second."""
        while True:
            self._arrived.clear()
            try:
                while not self._draining and await self._take_next():
                    pass
            except Exception:
                logger.exception("dispatch failed", extra={"action": "dispatch_failed"})
                await asyncio.sleep(_PULSE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_PULSE_SECONDS):
                    await self._arrived.wait()

    async def _take_next(self) -> bool:
        """Take up the next chain. False when there was none, or no room for another."""
        full = self.running >= self.events.room()
        below = self.events.next_priority() if full else None
        if full and below is None:
            return False
        async with self._claiming:
            claim = await self.database.transact(
                lambda tx: queue.claim(tx, self.worker, pool=self.pool, at_most=self.at_most, below=below)
            )
            if claim is not None:
                self.events.taken(claim)
                self._start(claim)
        return claim is not None and not full

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self.events.carry(claim))
        self._carried[task] = claim.chain_id
        task.add_done_callback(self._came_to_rest)

    def _came_to_rest(self, task: asyncio.Task[None]) -> None:
        chain_id = self._carried.pop(task)
        self._arrived.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its row still names this worker, so the next look takes it up again.
            logger.error("chain left", exc_info=error, extra={"action": "carry_failed", "chain": chain_id})

    async def _pulse(self) -> None:
        """Show that this worker lives; see who does not; heed cancels that came through the database."""
        beaten = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            try:
                await self._heed()
                await self._end_overdue()
                if (late := asyncio.get_running_loop().time() - beaten) >= _BEAT_SECONDS:
                    await self._look_round(late)
                    beaten = asyncio.get_running_loop().time()
            except Exception:
                logger.exception("pulse failed", extra={"action": "pulse_failed"})

    async def _look_round(self, since_last: float) -> None:
        """Show that this worker lives, and see who does not.

        `since_last`: seconds since it last could. While the database is away nobody can, and nobody died of that.
        """
        await self._beat()
        if since_last > self.silence / 2:
            self._watch.forget()
        if not self._draining:
            await self.take_over()

    async def _beat(self) -> None:
        await self.database.transact(lambda tx: queue.beat(tx, self.worker, self.clock.now_ms()))

    async def _heed(self) -> None:
        if not self.live.held:
            return
        found = await self.database.read(lambda tx: queue.signals(tx, list(self.live.held)))
        for chain_id, (generation, cancelled) in found.items():
            held = self.live.held.get(chain_id)
            if held is None:
                continue
            if generation > held.generation and held.carrier is not None:
                held.carrier.cancel()  # this process was believed dead: what it would pay for is paid elsewhere
            elif cancelled:
                held.stop.set()

    async def _end_overdue(self) -> None:
        late = await self.database.read(lambda tx: queue.overdue(tx, self.clock.now_ms(), pool=self.pool))
        for chain_id in late:
            if await self.database.transact(partial(self._end, chain_id=chain_id)):
                self.events.ended(chain_id)

    def _end(self, tx: Transaction, chain_id: str) -> bool:
        ended = end_overdue(tx, chain_id, self.clock.now_ms())
        if ended:
            self.events.changed(tx, chain_id)
        return ended


def end_overdue(tx: Transaction, chain_id: str, now_ms: int) -> bool:
    """End a queued chain for which no slot came in time. False when it was taken up meanwhile."""
    chain = chains.get(tx, chain_id)
    if chain.deadline_ms is None or queue.take(tx, chain_id, chain.generation, "overdue") is None:
        return False
    seconds = (chain.deadline_ms - chain.created_ms) / 1000
    reason = f"no slot came free within {seconds:g} seconds"
    chains.finish(tx, chain, Outcome(verdict=Verdict.failed, reason=reason), now_ms)
    return True


def _forget(tx: Transaction, workers: list[str]) -> None:
    slot_rows.forget_workers(tx, workers)
    for worker in workers:
        queue.leave(tx, worker)
