"""The durable engine: the only module that knows DBOS.

The truth about a chain is in our own rows; DBOS carries the running: it queues, limits and restarts. A workflow
there is a chain's id and a loop, so its rows may be lost or left behind by an upgrade and the chain still goes on:
`sweep` hands every unfinished chain without a living workflow over again, under a new id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from claude_pool_gh.pool import chains
from claude_pool_gh.storage import Database
from claude_pool_gh.storage.owners import own_id

logger = logging.getLogger(__name__)

QUEUE: Final = "chains"
VERSION: Final = "chains-1"
"""Raise it only together with a plan for the chains in flight: the engine ignores rows of other versions."""

_POLL_SECONDS: Final = 0.5
_SWEEP_SECONDS: Final = 60.0
_LIVING: Final = ("PENDING", "ENQUEUED", "DELAYED")


class Engine:
    """Runs chains durably in this process. There can be one in a process."""

    def __init__(
        self, url: str, database: Database, advance: Callable[[str], Awaitable[bool]], *, room: int
    ) -> None:
        self._database = database
        self._advance = advance
        self._room = room
        self._running: dict[str, asyncio.Task[Any] | None] = {}
        self._handing: set[str] = set()
        self._sweeper: asyncio.Task[None] | None = None
        config: DBOSConfig = {
            "name": "claude-pool",
            "system_database_url": url,
            "executor_id": own_id(),  # unique per boot: two processes under one id would share each other's work
            "application_version": VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": 16,
            "log_level": "WARNING",
        }
        _use_wal(url)
        DBOS(config=config)
        self._workflow = DBOS.workflow(name="run_chain")(self._make_workflow())

    def _make_workflow(self) -> Callable[[str], Coroutine[Any, Any, None]]:
        @DBOS.step(name="advance", preemptible=True)
        async def advance(chain_id: str) -> bool:
            return await self._advance(chain_id)

        async def run_chain(chain_id: str) -> None:
            task = asyncio.current_task()
            self._running[chain_id] = task
            try:
                while await advance(chain_id):
                    pass
            finally:
                if self._running.get(chain_id) is task:
                    del self._running[chain_id]

        return run_chain

    @property
    def running(self) -> int:
        """How many chains run in this process."""
        return len(self._running)

    async def launch(self) -> None:
        """Start taking work, first of all what an earlier process left unfinished."""
        DBOS.launch()
        await DBOS.register_queue_async(
            QUEUE, worker_concurrency=self._room, polling_interval_sec=_POLL_SECONDS
        )
        await self.sweep()
        self._sweeper = asyncio.create_task(self._sweep_for_ever())

    async def submit(self, chain_id: str) -> None:
        """Run a queued chain: at once where this process has room, else when its turn comes."""
        generation = await self._database.read(lambda tx: chains.get(tx, chain_id).generation)
        await self._hand_over(chain_id, generation)

    async def sweep(self) -> None:
        """Hand over every unfinished chain that no living workflow carries."""
        for chain_id, generation in await self._database.read(chains.unfinished):
            if (
                chain_id not in self._running
                and chain_id not in self._handing
                and not await self._is_carried(chain_id, generation)
            ):
                await self._hand_over(chain_id, generation)

    async def close(self) -> None:
        """Stop taking work and cancel what runs; the next start goes on with it."""
        tasks = [task for task in (self._sweeper, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        # DBOS made its own pool of threads the loop's default one, and has just shut it down.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())

    async def _hand_over(self, chain_id: str, generation: int) -> None:
        self._handing.add(
            chain_id
        )  # between the claim and the engine's row, a sweep must not hand it over again
        try:
            if not await self._database.transact(lambda tx: chains.next_generation(tx, chain_id, generation)):
                return
            with SetWorkflowID(_workflow_id(chain_id, generation + 1)):
                if self.running < self._room:
                    await DBOS.start_workflow_async(self._workflow, chain_id)
                else:
                    await DBOS.enqueue_workflow_async(QUEUE, self._workflow, chain_id)
        finally:
            self._handing.discard(chain_id)

    async def _is_carried(self, chain_id: str, generation: int) -> bool:
        if generation == 0:
            return False
        status = await DBOS.get_workflow_status_async(_workflow_id(chain_id, generation))
        if status is None or status.status not in _LIVING:
            return False
        # One server at a time works on a database: whatever another one carried, it carries no more.
        if status.executor_id and status.executor_id != own_id():
            await DBOS.cancel_workflow_async(status.workflow_id)
            return False
        return True

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception:
                logger.exception("sweep failed", extra={"action": "sweep_failed"})


def _workflow_id(chain_id: str, generation: int) -> str:
    return f"{chain_id}-{generation}"


def _use_wal(url: str) -> None:
    """Put the engine's SQLite file into WAL mode, once; the file remembers it."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return
    engine = sa.create_engine(parsed)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()
