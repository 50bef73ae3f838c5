"""Lets callers wait for chains: woken where this process carries one, else by looking."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from claude_pool_gh.pool.model.errors import PoolError, PoolShutdown, UnknownChain
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_ALONE_SECONDS = 4.0
_LAST_LOOK_SECONDS = 5.0
_AT_ONCE = 500
_TOGETHER = 8
"""As many as a prepared statement takes."""


@dataclass(slots=True)
class ChainWaiters:
    """The callers who wait for a chain to come to rest: done, or parked."""

    database: Database
    kept: bool = True
    """Whether the store outlives the pool, so that what has not ended goes on later."""
    events: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    """By chain: one of each caller, who alone clears it."""
    closed: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when one of them has left."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    """In which they wait."""

    def check_loop(self) -> None:
        """Raise PoolError in another event loop: nobody would be woken there, nor the pool by what is done there."""
        if asyncio.get_running_loop() is not self.loop:
            raise PoolError(
                "a pool is used in the event loop that opened it: from another thread say "
                "`asyncio.run_coroutine_threadsafe(pool.run(...), loop).result()`"
            )

    async def rest(self, chain_id: str) -> None:
        """Wait until a chain is at rest. Raises UnknownChain, PoolShutdown when nobody here will carry it on."""
        await self._rest([chain_id])

    async def rest_all(self, chain_ids: Sequence[str]) -> None:
        """As `rest`, for all of them: some are waited for together, and looked for before and after that."""
        for start in range(0, len(chain_ids), _TOGETHER):
            await self._rest(chain_ids[start : start + _TOGETHER])

    async def _rest(self, chain_ids: Sequence[str]) -> None:
        self.check_loop()
        with self._waiting_for(chain_ids) as events:
            while left := await self._under_way(chain_ids):
                if self.closed:
                    raise PoolShutdown(
                        f"the pool closed before {left[0]} had ended; {self._what_becomes_of_it}"
                    )
                awaited = [events[each] for each in left]
                await asyncio.gather(*(event.wait() for event in awaited))
                for event in awaited:
                    event.clear()
                chain_ids = left

    async def _under_way(self, chain_ids: Sequence[str]) -> list[str]:
        """Those of these chains that are not at rest. Raises UnknownChain where one is not there."""

        def look(tx: Transaction) -> list[str]:
            states = lookup.states_of(tx, chain_ids)
            if gone := [each for each in chain_ids if each not in states]:
                raise UnknownChain(f"no chain has the id {gone[0]!r}")
            return [each for each in chain_ids if states[each] not in lookup.AT_REST]

        return await self.database.read(look, forever=True)

    @property
    def _what_becomes_of_it(self) -> str:
        if self.kept:
            return "its store has it, and it goes on when that is next opened"
        return "it is lost, since the pool was opened without `state` and `store`"

    async def gone(self) -> None:
        """Wait until nobody waits here any more; each looks once more after `close`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                while self.events:
                    self.left.clear()
                    await self.left.wait()

    def wake(self, chain_id: str) -> None:
        """A chain may have come to rest."""
        for event in self.events.get(chain_id, ()):
            event.set()

    def wake_all(self) -> None:
        """Any chain may have come to rest."""
        for chain_id in self.events:
            self.wake(chain_id)

    def close(self) -> None:
        """Nobody here carries chains on any more."""
        self.closed = True
        self.wake_all()

    async def look_for_ever(self, alone: Callable[[], bool]) -> None:
        """Wake those whose chain another process has brought to rest.

        `alone`: where no other worker is on the database. Then only a process that is no worker can end a chain, such
        as a command in a shell, and it is looked for less often.
        """
        since = 0.0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            since += _LOOK_SECONDS
            if not self.events or (alone() and since < _ALONE_SECONDS):
                continue
            since = 0.0
            try:
                await self._look()
            except Exception:
                logger.exception("waiting failed", extra={"action": "waiting_failed"})
                self.wake_all()  # each looks for itself, and raises what it meets with

    async def _look(self) -> None:
        asked = list(self.events)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            under_way = await self.database.read(
                partial(lookup.under_way, chain_ids=some), forever=True
            )
            for chain_id in set(some) - under_way:
                self.wake(chain_id)

    @contextmanager
    def _waiting_for(self, chain_ids: Sequence[str]) -> Iterator[dict[str, asyncio.Event]]:
        events = {each: asyncio.Event() for each in chain_ids}
        for each, event in events.items():
            self.events.setdefault(each, set()).add(event)
        try:
            yield events
        finally:
            for each, event in events.items():
                self.events[each].discard(event)
                if not self.events[each]:
                    del self.events[each]
            self.left.set()
