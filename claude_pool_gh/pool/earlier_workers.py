"""Keeps an upgrade of the tables from workers of an earlier version that still run on them."""

from __future__ import annotations

import asyncio

from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.run.living_workers import LOOK_SECONDS, living
from claude_pool_gh.pool.store import queue
from claude_pool_gh.storage import Database, migrations


async def upgrade(database: Database, look_seconds: float = LOOK_SECONDS) -> None:
    """Upgrade the tables. Raises PoolError where other processes work with the ones that are there.

    On a SQLite file no other process works: see `dispatch_lock`.
    """
    if database.engine.dialect.name == "postgresql":
        await _check(database, look_seconds)
    migrations.upgrade(database.engine)


async def _check(database: Database, look_seconds: float) -> None:
    found = await asyncio.to_thread(migrations.current, database.engine)
    if found is None or found >= migrations.newest():
        return
    if not await database.read(queue.beats):
        return
    if alive := await living(database, look_seconds):
        raise PoolError(
            f"the tables must be upgraded (schema {found} to {migrations.newest()}), and processes of an earlier "
            f"version still work with them: stop these first: {', '.join(alive)}"
        )
