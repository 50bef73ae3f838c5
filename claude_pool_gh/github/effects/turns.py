"""One process at a time writes for an installation: whoever has its lease, renewed for as long as a write takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from claude_pool_gh.github.effects import rows
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.owners import own_id

logger = logging.getLogger(__name__)

_RENEWED_SECONDS: Final = 5.0
"""A sixth of what a lease lasts."""
_SURE_SECONDS: Final = 14.0
"""For so long the turn is ours after it was taken or renewed: a lease that is good for half its time is not renewed."""


def take(tx: Transaction, installation: int, now_ms: int) -> bool:
    """Take or renew the turn to write for an installation; False while another process has it."""
    return rows.hold(tx, f"writer:{installation}", own_id(), now_ms)


async def while_ours(
    database: Database,
    installation: int,
    now_ms: Callable[[], int],
    writing: Coroutine[Any, Any, None],
) -> None:
    """Write while the turn is ours: a review in many parts takes longer than a lease lasts.

    Where another process has taken it, or may have, since the database does not answer, this one stops as if it had
    died: the other looks for what was made.
    """
    loop = asyncio.get_running_loop()
    sure_until = loop.time() + _SURE_SECONDS
    async with asyncio.TaskGroup() as group:
        task = group.create_task(writing)
        while not (await asyncio.wait({task}, timeout=_RENEWED_SECONDS))[0]:
            asked = loop.time()
            try:
                async with asyncio.timeout_at(sure_until):
                    is_ours = await database.transact(lambda tx: take(tx, installation, now_ms()))
            except TimeoutError:
                is_ours = False
            sure_until = asked + _SURE_SECONDS
            if not is_ours:
                logger.warning(
                    "another process may write for this installation now",
                    extra={"action": "turn_lost", "installation": installation},
                )
                task.cancel()
