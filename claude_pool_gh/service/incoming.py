"""The deliveries that are being taken in: each is answered in time, and other work waits while there are many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from claude_pool_gh.service.bounds import TooMuch

T = TypeVar("T")

STORED_WITHIN: Final = 8.0
"""Seconds in which a delivery is stored. GitHub gives it up after ten, and the answer has to get there."""
_WEIGHT: Final = 0.1
"""Of the newest interval between two ends in what is taken for the usual one."""
_LATE: Final = "too many deliveries at once; deliver it again"


@dataclass(slots=True)
class Incoming:
    """The number of deliveries that are being taken in, and how fast they are.

    GitHub gives a delivery up after ten seconds; nobody notices a command that begins some seconds later. So commands
    wait for deliveries. What would not be stored in time is refused at once: GitHub then notes it as failed, and it is
    asked for later with everything else that was missed.
    """

    many: int = 16
    longest: float = 10.0
    """Seconds that other work waits: a flood holds nothing up for ever."""
    stored_within: float = STORED_WITHIN
    now: Callable[[], float] = time.monotonic
    count: int = 0
    pace: float = 0.0
    """Seconds between the ends of two, while there are many."""
    _ended: float | None = None
    _few: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Raises TooMuch where one more would not be stored in time, as fast as they are stored now."""
        if self.count * self.pace > self.stored_within:
            raise TooMuch(503, _LATE)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around taking in one of them."""
        self.count += 1
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        now, before = self.now(), self._ended
        # Where there are few, the time between two says how often they come.
        was_busy = self.count >= self.many
        self._ended = now if was_busy else None
        if was_busy and before is not None:
            self.pace += _WEIGHT * (now - before - self.pace)
        self.count -= 1
        if self.count < self.many:
            self._few.set()

    async def stored(self, storing: Awaitable[T]) -> T:
        """The result of storing one. Raises TooMuch where that takes too long; it may be stored all the same."""
        try:
            async with asyncio.timeout(self.stored_within):
                return await storing
        except TimeoutError:
            raise TooMuch(503, _LATE) from None

    async def turn(self) -> None:
        """Wait until there are few."""
        if self.count < self.many:
            return
        self._few.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.longest):
                await self._few.wait()
