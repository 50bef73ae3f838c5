"""The deliveries that are being taken in: each is answered in time, and other work waits while there are many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from claude_pool_gh.service.server.too_much import TooMuch

T = TypeVar("T")

STORED_WITHIN: Final = 8.0
"""Seconds from a delivery's begin until it is stored. GitHub gives it up after ten, and the answer has to get there."""
_WEIGHT: Final = 0.1
"""Of the newest interval between two ends in what is taken for the usual one."""
_LATE: Final = "too many deliveries at once; deliver it again"
_NOT_STORED: Final = "it could not be stored in time; deliver it again"


@dataclass(slots=True)
class Incoming:
    """The number of verified deliveries that are being stored, and how fast they are.

    GitHub gives a delivery up after ten seconds; nobody notices a command that begins some seconds later. So commands
    wait for deliveries. What would not be stored in time is refused at once: GitHub then notes it as failed, and it is
    asked for later with everything else that was missed.

    Requests of strangers are never counted here: slow ones would say that storing is slow.
    """

    many: int = 16
    longest: float = 10.0
    """Seconds that other work waits: a flood holds nothing up for ever."""
    stored_within: float = STORED_WITHIN
    now: Callable[[], float] = time.monotonic
    count: int = 0
    pace: float = 0.0
    """Seconds between the ends of two, while there are many; 0 while there are few."""
    _ended: float | None = None
    _few: asyncio.Event = field(default_factory=asyncio.Event)

    async def stored(self, store: Callable[[], Awaitable[T]], begun: float) -> T:
        """The result of storing one whose request began at a moment of `now`.

        Raises TooMuch where it would not be stored in time, as fast as they are stored now, or where it is not; then
        it may be stored all the same.
        """
        left = begun + self.stored_within - self.now()
        if left <= 0 or self.count * self.pace > left:
            raise TooMuch(503, _LATE)
        self.count += 1
        try:
            return await self.in_time(store(), begun)
        finally:
            self._end()

    async def in_time(self, doing: Awaitable[T], begun: float) -> T:
        """The result of a part of it. Raises TooMuch where that takes too long."""
        try:
            async with asyncio.timeout(begun + self.stored_within - self.now()):
                return await doing
        except TimeoutError:
            raise TooMuch(503, _NOT_STORED) from None

    def _end(self) -> None:
        now, before, was_busy = self.now(), self._ended, self.count >= self.many
        self._ended = now if was_busy else None
        if was_busy and before is not None:
            self.pace += _WEIGHT * (now - before - self.pace)
        self.count -= 1
        if self.count < self.many:
            # The time between few says how often they come. What was measured before is forgotten: after a stall
            # nothing would ever measure it again, were too few let in to be many.
            self.pace, self._ended = 0.0, None
            self._few.set()

    async def turn(self) -> None:
        """Wait until there are few."""
        if self.count < self.many:
            return
        self._few.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.longest):
                await self._few.wait()
