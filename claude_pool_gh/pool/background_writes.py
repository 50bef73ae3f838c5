"""Writes that nobody waits for, such as that a slot is gone. A pool that closes lets them come to their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

logger = logging.getLogger(__name__)

LAST_WORD: Final = 10.0
"""Seconds that a closing pool gives to the store for what is still to be written."""


@dataclass(slots=True, eq=False)
class BackgroundWrites:
    """Such writes, as tasks of this process."""

    running: set[asyncio.Task[None]] = field(default_factory=set)

    def run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin one."""
        write = asyncio.create_task(work)
        self.running.add(write)
        write.add_done_callback(self.running.discard)
        return write

    async def end(self) -> None:
        """Let all come to their end, and cancel those that wait for a store which does not answer."""
        background_writes = list(self.running)
        if not background_writes:
            return
        _, late = await asyncio.wait(background_writes, timeout=LAST_WORD)
        for write in late:
            write.cancel()
        await asyncio.gather(*background_writes, return_exceptions=True)
        if late:
            logger.warning(
                "the store did not answer: %d of the pool's last writes are left undone",
                len(late),
                extra={"action": "background_writes_cancelled"},
            )
