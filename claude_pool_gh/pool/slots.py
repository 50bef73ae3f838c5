"""Slots: places where one agent runs at a time. A freed slot is handed over by a wake-up, never by a poll."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """A fixed number of slots, first come first served within a priority (lower goes first)."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError("a pool needs at least one slot")
        self.count = count
        self._idle = list(range(count))
        self._waiting: list[tuple[int, int, asyncio.Future[int]]] = []
        self._arrivals = itertools.count()

    @property
    def busy(self) -> int:
        """How many slots are leased now."""
        return self.count - len(self._idle)

    @property
    def waiting(self) -> int:
        """How many tasks wait for a slot now."""
        return sum(1 for _, _, future in self._waiting if not future.done())

    @asynccontextmanager
    async def lease(self, *, priority: int = 0) -> AsyncIterator[int]:
        """Wait for a slot and hold it; it comes back however the block ends."""
        slot = await self._take(priority)
        try:
            yield slot
        finally:
            self._give_back(slot)

    async def _take(self, priority: int) -> int:
        if self._idle:
            return heapq.heappop(self._idle)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._arrivals), future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():  # handed over in the very moment of the cancel
                self._give_back(future.result())
            raise

    def _give_back(self, slot: int) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(slot)
                return
        heapq.heappush(self._idle, slot)
