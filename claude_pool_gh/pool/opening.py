"""Opens a pool for the length of a block: its store, its slots' rows, the loops that keep it going."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_pool_gh.pool import earlier_workers, ending
from claude_pool_gh.pool.assembly import PoolParts, assemble
from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig
from claude_pool_gh.pool.model.ports import Agent, Clock, HostStep, Observer, Workspaces
from claude_pool_gh.pool.recipes.library import RecipeLibrary
from claude_pool_gh.pool.run.agent_run import at_work
from claude_pool_gh.pool.run.dispatch_lock import dispatching_from
from claude_pool_gh.pool.store import places, slot_rows
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.owners import new_owner
from claude_pool_gh.storage.private import private_folder

logger = logging.getLogger(__name__)

_MEND_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """The options of `Pool.open`, checked."""

    name: str
    slots: Sequence[SlotConfig]
    config: PoolConfig
    state: Path | str | None
    store: str | Database | None
    workspaces: Workspaces
    library: RecipeLibrary
    host_steps: Mapping[str, HostStep]
    observer: Observer
    clock: Clock


class Nobody:
    """An observer that wants to know nothing."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Nothing is noted."""

    def committed(self) -> None:
        """Nobody is told."""


@asynccontextmanager
async def opened(agent: Agent, wishes: PoolOptions) -> AsyncIterator[Core]:
    """Open a pool; see `Pool.open`."""
    async with AsyncExitStack() as stack:
        home = _home(wishes.state, stack)
        database = _database(wishes.store, None if wishes.state is None else home, stack)
        stack.enter_context(dispatching_from(database))
        await earlier_workers.upgrade(database)
        working = await stack.enter_async_context(at_work(agent, database, wishes.clock))
        worker = new_owner()
        names = await database.transact(lambda tx: slot_rows.register(tx, worker, wishes.slots))
        parts = PoolParts(
            database=database,
            queue=await _queue(database, wishes),
            kept=wishes.state is not None or wishes.store is not None,
            worker=worker,
            home=home,
            workspaces=wishes.workspaces,
            library=wishes.library,
            host_steps=wishes.host_steps,
            observer=wishes.observer,
            clock=wishes.clock,
        )
        core = assemble(working, dict(zip(names, wishes.slots, strict=True)), wishes.config, parts)
        stack.push_async_callback(ending.close, core)
        await core.dispatcher.launch()
        looking = core.waiting.look_for_ever(core.dispatcher.is_alone)
        loops = [core.supervisor.watch(), looking, _mend_for_ever(core)]
        stack.push_async_callback(_cancel, [asyncio.create_task(loop) for loop in loops])
        if not core.kept:
            await stack.enter_async_context(ending.to_the_end(core))
        yield core


async def _queue(database: Database, wishes: PoolOptions) -> str:
    """The queue of the pool's name and folder; a warning tells of work that waits for other folders."""
    name, queue = wishes.name, places.queue_of(wishes.name, wishes.workspaces.folder)
    await database.transact(lambda tx: places.adopt(tx, name, queue))
    elsewhere = await database.read(lambda tx: places.elsewhere(tx, name, queue))
    for folder, count in elsewhere.items():
        logger.warning(
            "%s submitted to work in %s are unfinished: they go on when a pool is opened in that folder",
            count,
            folder,
            extra={"action": "work_elsewhere"},
        )
    return queue


def _home(state: Path | str | None, stack: AsyncExitStack) -> Path:
    if state is not None:
        return private_folder(Path(state))
    temporary = tempfile.TemporaryDirectory(prefix="claude-pool-", ignore_cleanup_errors=True)
    return Path(stack.enter_context(temporary))


def _database(store: str | Database | None, state: Path | None, stack: AsyncExitStack) -> Database:
    if isinstance(store, Database):
        return store
    if store is None and state is None:
        database = Database.temporary()
    else:
        database = Database.open(store or f"sqlite:///{(state or Path()).absolute()}/pool.sqlite")
    stack.callback(database.close)
    return database


async def _mend_for_ever(core: Core) -> None:
    """Free the rows of slots whose last run ended where the database could not be written."""

    def mend(tx: Transaction) -> None:
        slot_rows.mend(tx, core.worker, core.slots.idle_ids)

    while True:
        await asyncio.sleep(_MEND_SECONDS)
        with suppress(Exception):
            await core.database.transact(mend)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
