"""Takes chains up from the queue and carries each in an asyncio task of this process.

How it works. The chains' rows are the queue, and the truth: to take a chain up is to write this worker's name and the
next generation into its row, and whoever writes for a chain must still hold its newest generation. So nothing else has
to be durable. Where a worker is gone, another takes its chains up under the next generation; so does its own next life.
Who is gone, and what others have done, is the queue's to know: see `queues`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.run.queues import Queue, QueueNotice
from claude_pool_gh.pool.run.running import RunningChains, TakenUp
from claude_pool_gh.pool.store import chains, queue
from claude_pool_gh.pool.store.queue import Claim
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.retries import passes

logger = logging.getLogger(__name__)

_AFTER_A_FAULT: Final = 1.0


class ChainEvents(Protocol):
    """The events of chains here, and what decides how many there may be."""

    def begin(self, tx: Transaction, claim: Claim) -> TakenUp:
        """Begin a chain in the transaction that takes it up from the queue."""

    def taken(self, claim: Claim, begun: TakenUp | None) -> None:
        """Told of each chain that was taken up from the queue, in their order, before it is carried."""

    async def carry(self, claim: Claim, begun: TakenUp | None = None) -> None:
        """Bring a chain to rest."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Told, in the transaction, of each chain that ended without being carried."""

    def ended(self, chain_id: str) -> None:
        """Told of it again once that is committed."""

    def heard(self, chain_id: str | None) -> None:
        """Told when another worker has, or may have, moved a chain; None: any of them."""

    def room(self) -> int:
        """The number of chains that this process carries at most, as of now."""

    def next_priority(self) -> int | None:
        """Of what is carried and has no slot yet; a chain that goes before it is taken up without room."""


@dataclass(slots=True)
class Dispatcher:
    """Carries the chains of one pool that its worker takes up."""

    database: Database
    queue: Queue
    events: ChainEvents
    live: RunningChains
    clock: Clock
    at_most: int | None = None
    """How many chains all workers on the database carry at most."""
    _carried: dict[asyncio.Task[None], str] = field(default_factory=dict)
    """The chain that each task carries."""
    _left: set[str] = field(default_factory=set)
    """Chains that came back unfinished while this worker drains."""
    _draining: bool = False
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a chain that is carried here was moved from elsewhere."""
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Between a claim and its task, nobody may take the chain for one that this worker has lost."""
    _told: int = 0
    """How often it was told of something that may be taken up."""
    _none_below: float = -math.inf
    """The last look found no chain with a lower priority number than this, and nothing was told of a new one since."""
    _looked: float = -math.inf
    """When that was: what nobody tells of is found by looking again."""
    _loops: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def running(self) -> int:
        """The number of chains that run in this process."""
        return len(self._carried)

    def is_alone(self) -> bool:
        """True where no other worker was on the database when this one last looked."""
        return self.queue.alone

    async def launch(self) -> None:
        """Start taking work, first of all what an earlier process left unfinished."""
        await self.queue.join()
        await self.take_over()
        loops = (self._dispatch(), self._pulse(), self._listen())
        self._loops = [asyncio.create_task(loop) for loop in loops]

    def wake(self) -> None:
        """A chain was queued, or a slot was added."""
        self._told += 1
        self._none_below = -math.inf
        self._arrived.set()

    def drain(self) -> None:
        """Take up no more chains; those that run go on."""
        self._draining = True

    async def let_go(self) -> None:
        """Give back what was left where it can go on elsewhere."""
        while self._left:
            await self.queue.let_go(self._left.pop())

    async def take_over(self) -> None:
        """Take up every unfinished chain whose worker is gone, and forget that worker."""
        if not self.events.room():
            return  # it has no slots: it accepts work, and others do it
        async with self._claiming:
            for claim in await self.queue.take_over(set(self._carried.values())):
                self._start(claim)

    async def close(self) -> None:
        """Stop taking work and cancel what runs; the next start goes on with it."""
        running = [*self._loops, *self._carried]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self.queue.leave()
        except Exception:  # the others see by themselves that it is gone
            logger.exception("not signed off", extra={"action": "worker_left"})

    async def _dispatch(self) -> None:
        """Take up queued chains while there is room: at once when one comes or goes, and now and then anyway."""
        while True:
            self._arrived.clear()
            try:
                while not self._draining and await self._take_next():
                    pass
            except Exception:
                logger.exception("dispatch failed", extra={"action": "dispatch_failed"})
                await asyncio.sleep(_AFTER_A_FAULT)
            await _first(self._arrived, self.queue.look_seconds)

    async def _take_next(self) -> bool:
        """Take up the next chain. False when there was none, or no room for another."""
        full = self.running >= self.events.room()
        below = self.events.next_priority() if full else None
        if (full and below is None) or self._finds_none(below):
            return False
        async with self._claiming:
            claim, begun = await self._claim(below)
            if claim is not None:
                self.events.taken(claim, begun)
                self._start(claim, begun)
        return claim is not None and not full

    def _finds_none(self, below: int | None) -> bool:
        """True where a look for a chain with a lower priority number than this, or any, would find none."""
        fresh = asyncio.get_running_loop().time() - self._looked < self.queue.look_seconds
        return fresh and (math.inf if below is None else below) <= self._none_below

    async def _claim(self, below: int | None) -> tuple[Claim | None, TakenUp | None]:
        """The next chain, begun in the transaction that takes it up.

        One that cannot be begun is only taken up: whoever carries it tries that again, and says what is wrong with it.
        """
        told = self._told
        try:
            found = await self.queue.take_up(self.events.begin, at_most=self.at_most, below=below)
        except Exception as error:
            if passes(error):
                raise
            logger.exception("taken up without beginning", extra={"action": "begin_failed"})
            return await self.queue.claim(at_most=self.at_most, below=below), None
        # Where all workers together may carry so many, nothing found does not mean that nothing is there.
        if found is None and self.at_most is None and told == self._told:
            self._none_below = math.inf if below is None else below
            self._looked = asyncio.get_running_loop().time()
        return found or (None, None)

    def _start(self, claim: Claim, begun: TakenUp | None = None) -> None:
        task = asyncio.create_task(self.events.carry(claim, begun))
        self._carried[task] = claim.chain_id
        task.add_done_callback(self._came_to_rest)

    def _came_to_rest(self, task: asyncio.Task[None]) -> None:
        chain_id = self._carried.pop(task)
        if self._draining:
            self._left.add(chain_id)
        self._arrived.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its row still names this worker, so the next look takes it up again.
            logger.error(
                "chain left", exc_info=error, extra={"action": "carry_failed", "chain": chain_id}
            )

    async def _pulse(self) -> None:
        """Show that this worker lives; see who does not; heed what others have done to the chains carried here."""
        now = asyncio.get_running_loop().time
        watched = now()
        while True:
            await _first(self._moved, self.queue.look_seconds)
            self._moved.clear()
            try:
                if now() - watched >= self.queue.watch_seconds:
                    watched = now()
                    await self.queue.beat()
                    if not self._draining:
                        await self.take_over()
                await self._heed()
                await self._end_overdue()
            except Exception:
                logger.exception("pulse failed", extra={"action": "pulse_failed"})
                await asyncio.sleep(_AFTER_A_FAULT)

    async def _listen(self) -> None:
        """Look at once where another worker, or whoever decides, has done something."""
        while True:
            try:
                async for told in self.queue.heard():
                    self._hear(told)
            except Exception:
                logger.exception("listening failed", extra={"action": "listen_failed"})
                await asyncio.sleep(_AFTER_A_FAULT)
            else:
                return

    def _hear(self, told: QueueNotice) -> None:
        if told.queued or self.at_most is not None:
            self.wake()
        if told.chain_id is None or told.chain_id in self.live.held:
            self._moved.set()
        if told.chain_id is not None or told.missed:  # a new chain has come to rest for nobody
            self.events.heard(told.chain_id)

    async def _heed(self) -> None:
        if not self.live.held:
            return
        found = await self.queue.signals(list(self.live.held))
        for chain_id, (generation, cancelled) in found.items():
            held = self.live.held.get(chain_id)
            if held is None:
                continue
            if generation > held.generation and held.carrier is not None:
                held.carrier.cancel()  # this process was believed dead: what it would pay for is paid elsewhere
            elif cancelled:
                held.stop.set()

    async def _end_overdue(self) -> None:
        for chain_id, generation in await self.queue.overdue():
            end = partial(self._end, chain_id=chain_id, generation=generation)
            if await self.database.transact(end):
                self.events.ended(chain_id)

    def _end(self, tx: Transaction, chain_id: str, generation: int) -> bool:
        ended = end_overdue(tx, chain_id, generation, self.clock.now_ms())
        if ended:
            self.events.changed(tx, chain_id)
        return ended


def end_overdue(tx: Transaction, chain_id: str, generation: int, now_ms: int) -> bool:
    """End a queued chain for which no slot came in time. False when it was taken up since it was found so."""
    chain = chains.get(tx, chain_id)
    if chain.deadline_ms is None or queue.take_waiting(tx, chain_id, generation, "overdue") is None:
        return False
    seconds = (chain.deadline_ms - chain.created_ms) / 1000
    reason = f"no slot came free within {seconds:g} seconds"
    chains.finish(tx, chain, Outcome(verdict=Verdict.failed, reason=reason), now_ms)
    return True


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, for so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
