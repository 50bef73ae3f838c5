"""Finds the processes that work with a database at this moment: a list of workers also names the dead."""

from __future__ import annotations

import asyncio
from typing import Final

from claude_pool_gh.pool.run.queues import BEAT_SECONDS
from claude_pool_gh.pool.store import queue
from claude_pool_gh.storage import Database

LOOK_SECONDS: Final = 3 * BEAT_SECONDS
"""For so long a worker is looked at: one that lives shows itself meanwhile."""


async def living(database: Database, look_seconds: float = LOOK_SECONDS) -> list[str]:
    """The workers that show themselves, found as soon as one does."""
    before, passed = await database.read(queue.beats), 0.0
    while passed < look_seconds:
        pause = min(BEAT_SECONDS / 4, look_seconds)
        await asyncio.sleep(pause)
        passed += pause
        now = await database.read(queue.beats)
        if alive := [worker for worker, beat in now.items() if beat != before.get(worker)]:
            return sorted(alive)
    return []
