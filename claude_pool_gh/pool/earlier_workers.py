"""Keeps an upgrade of the tables from workers of an earlier version that still run on them."""

from __future__ import annotations

import asyncio
from typing import Final

from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.run.queues import BEAT_SECONDS
from claude_pool_gh.pool.store import queue
from claude_pool_gh.storage import Database, migrations

LOOK_SECONDS: Final = 3 * BEAT_SECONDS
"""For so long a worker is looked at: one that lives shows itself meanwhile."""


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
    before, passed = await database.read(queue.beats), 0.0
    while before and passed < look_seconds:
        pause = min(BEAT_SECONDS / 4, look_seconds)
        await asyncio.sleep(pause)
        passed += pause
        now = await database.read(queue.beats)
        if alive := [worker for worker, beat in now.items() if beat != before.get(worker)]:
            raise PoolError(
                f"the tables must be upgraded (schema {found} to {migrations.newest()}), and processes of an earlier "
                f"version still work with them: stop these first: {', '.join(sorted(alive))}"
            )
