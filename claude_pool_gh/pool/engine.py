"""The durable engine: the only module that knows DBOS.

The truth about a chain is in our own rows, and they are the queue too. DBOS carries what runs: a workflow there is a
chain's id and the generation under which this worker took it up. Its rows may be lost or left behind by an upgrade,
and the chain still goes on: a worker that dies stops showing itself, and another takes its chains up, under the
next generation. So does its own next life.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos._core import WorkflowHandleAsyncTask

from claude_pool_gh.pool import chains, queue, slot_rows
from claude_pool_gh.pool.errors import PoolError
from claude_pool_gh.pool.ids import new_id
from claude_pool_gh.pool.live import Live
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Clock
from claude_pool_gh.pool.queue import Claim
from claude_pool_gh.pool.workers import Watch
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

VERSION: Final = "chains-2"
"""Names our use of the engine's rows; those of another version are ignored, and their chains taken up anew."""

_PULSE_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 5.0
_LAST_WORDS_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 30.0
"""A worker that has not shown itself for so long is dead to the others."""


@dataclass(slots=True)
class Engine:
    """Takes chains up and carries them durably. There can be one in a process."""

    url: str
    database: Database
    carry: Callable[[str, int], Awaitable[None]]
    live: Live
    clock: Clock
    worker: str
    room: Callable[[], int]
    """How many chains this process carries at most, as of now."""
    overdue: Callable[..., bool]
    """Ends a chain that nobody took up in time; whether it did."""
    ended: Callable[[str], None]
    """Told of each that was so ended."""
    name: str = chains.MAIN
    """The pool whose chains these are."""
    at_most: int | None = None
    """How many chains all workers on the database carry at most."""
    silence: float = SILENCE_SECONDS
    next_priority: Callable[[], int | None] = lambda: None
    """Of what this process carries and has no slot yet; a chain that goes before it is taken up without room."""

    taken: Callable[[Claim], None] = lambda _claim: None
    """Told of each chain that was taken up from the queue, in their order, before it is carried."""

    _open: ClassVar[bool] = False
    _carrying: dict[str, float] = field(default_factory=dict)
    _draining: bool = False
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _loops: list[asyncio.Task[None]] = field(default_factory=list)
    _workflow: Any = None
    _workflows: set[asyncio.Future[Any]] = field(default_factory=set)
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.silence)

    @property
    def running(self) -> int:
        """How many chains run in this process."""
        return len(self._carrying)

    def is_alone(self) -> bool:
        """Whether no other worker was on the database when this one last looked."""
        return set(self._watch.seen) <= {self.worker}

    @classmethod
    @contextmanager
    def the_only_one(cls) -> Iterator[None]:
        """Around an engine's life. Raises PoolError where this process has one already."""
        if cls._open:
            raise PoolError("one pool at a time can be open in a process; close the other one first")
        cls._open = True
        try:
            yield
        finally:
            cls._open = False

    async def launch(self) -> None:
        """Start taking work, first of all what an earlier process left unfinished."""
        config: DBOSConfig = {
            "name": "claude-pool",
            "system_database_url": self.url,
            # Never used before, also not by this process: what was left under an id that comes back would be recovered
            # behind our rows' back.
            "executor_id": new_id("executor"),
            "application_version": VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": 16,
            "notification_listener_polling_interval_sec": 0.25,  # nothing is polled for, but a close waits for it
            "log_level": "ERROR",  # that a close cancels what runs is no news
        }
        _use_wal(self.url)
        DBOS(config=config)
        self._workflow = DBOS.workflow(name="carry_chain")(self._make_workflow())
        DBOS.launch()
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
        orphans = await self.database.read(lambda tx: queue.orphans(tx, alive, pool=self.name))
        mine = await self.database.read(lambda tx: queue.carried_by(tx, self.worker))
        for chain_id, generation in [*orphans, *(lost for lost in mine if self._is_lost(lost[0]))]:
            claim = await self.database.transact(
                lambda tx, c=chain_id, g=generation: queue.take(tx, c, g, self.worker)  # type: ignore[misc]
            )
            if claim is not None:
                await self._discard(Claim(chain_id, generation))
                await self._start(claim)

    async def close(self) -> None:
        """Stop taking work and cancel what runs; the next start goes on with it."""
        tasks = [*self._loops, *(held.carrier for held in self.live.held.values())]
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._workflows:  # they still write down that they are over
            await asyncio.wait(set(self._workflows), timeout=_LAST_WORDS_SECONDS)
        await self.database.transact(lambda tx: _forget(tx, [self.worker]))
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=0)
        # DBOS made its own pool of threads the loop's default one, and has just shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    def _make_workflow(self) -> Callable[[str, int], Coroutine[Any, Any, None]]:
        @DBOS.step(name="carry", preemptible=True)
        async def carry(chain_id: str, generation: int) -> None:
            await self.carry(chain_id, generation)

        async def carry_chain(chain_id: str, generation: int) -> None:
            try:
                await carry(chain_id, generation)
            finally:
                self._carrying.pop(chain_id, None)
                self._arrived.set()

        return carry_chain

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
        full = self.running >= self.room()
        below = self.next_priority() if full else None
        if full and below is None:
            return False
        claim = await self.database.transact(
            lambda tx: queue.claim(tx, self.worker, pool=self.name, at_most=self.at_most, below=below)
        )
        if claim is not None:
            self.taken(claim)
            await self._start(claim)
        return claim is not None and not full

    async def _start(self, claim: Claim) -> None:
        self._carrying[claim.chain_id] = asyncio.get_running_loop().time()
        try:
            with SetWorkflowID(_workflow_id(claim)):
                handle = await DBOS.start_workflow_async(self._workflow, claim.chain_id, claim.generation)
            if isinstance(handle, WorkflowHandleAsyncTask):
                self._workflows.add(handle.task)
                handle.task.add_done_callback(self._workflows.discard)
        except Exception:  # it is taken up again with the next pulses
            self._carrying.pop(claim.chain_id, None)
            logger.exception("chain not started", extra={"action": "start_failed", "chain": claim.chain_id})

    def _is_lost(self, chain_id: str) -> bool:
        """Whether a chain that this worker took up is not carried after all."""
        since = self._carrying.get(chain_id)
        late = since is None or asyncio.get_running_loop().time() - since > self.silence
        return chain_id not in self.live.held and late

    async def _discard(self, claim: Claim) -> None:
        """The engine's row of a chain that another worker carried: nobody will carry it under that id again."""
        with suppress(Exception):  # the row may be gone, with the whole database of the engine
            await DBOS.cancel_workflow_async(_workflow_id(claim))

    async def _pulse(self) -> None:
        """Show that this worker lives; see who does not; heed cancels that came through the database."""
        beaten = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            try:
                await self._heed()
                await self._end_overdue()
                if asyncio.get_running_loop().time() - beaten >= _BEAT_SECONDS:
                    beaten = asyncio.get_running_loop().time()
                    await self._beat()
                    if not self._draining:
                        await self.take_over()
            except Exception:
                logger.exception("pulse failed", extra={"action": "pulse_failed"})

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
        late = await self.database.read(lambda tx: queue.overdue(tx, self.clock.now_ms(), pool=self.name))
        for chain_id in late:
            if await self.database.transact(partial(self.overdue, chain_id=chain_id)):
                self.ended(chain_id)


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


def _workflow_id(claim: Claim) -> str:
    return f"{claim.chain_id}-{claim.generation}"


def _use_wal(url: str) -> None:
    """Put the engine's SQLite file into WAL mode, once; the file remembers it."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return
    engine = sa.create_engine(parsed)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()
