"""Lets callers wait for chains: woken where this process carries one, else by looking."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from claude_pool_gh.pool.model.errors import PoolShutdown, UnknownChain
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_ALONE_SECONDS = 4.0
_LAST_LOOK_SECONDS = 5.0
_AT_ONCE = 500
_TOGETHER = 9
"""One that is waited for, and as many more as a prepared statement takes."""


@dataclass(slots=True)
class ChainWaiters:
    """The callers who wait for a chain to come to rest: done, or parked."""

    database: Database
    kept: bool = True
    """Whether the store outlives the pool, so that what has not ended goes on later."""
    events: dict[str, asyncio.Event] = field(default_factory=dict)
    callers: Counter[str] = field(default_factory=Counter)
    closed: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when one of them has left."""

    async def rest(self, chain_id: str) -> None:
        """Wait until a chain is at rest. Raises UnknownChain, PoolShutdown when nobody here will carry it on."""
        with self._waiting_for(chain_id) as event:
            while not await self.database.read(lambda tx: _is_at_rest(tx, chain_id), forever=True):
                if self.closed:
                    raise PoolShutdown(
                        f"the pool closed before {chain_id} had ended; {self._what_becomes_of_it}"
                    )
                await event.wait()
                event.clear()

    async def rest_all(self, chain_ids: Sequence[str]) -> None:
        """As `rest`, for all of them: those that end while the first is waited for are not looked for one by one."""
        for start in range(0, len(chain_ids), _TOGETHER):
            some = list(chain_ids[start : start + _TOGETHER])
            while some:
                await self.rest(some[0])
                look = partial(lookup.at_rest, chain_ids=some[1:])
                ended = set(await self.database.read(look, forever=True)) if some[1:] else set()
                some = [each for each in some[1:] if each not in ended]

    @property
    def _what_becomes_of_it(self) -> str:
        if self.kept:
            return "its store has it, and it goes on when that is next opened"
        return "it is lost, since the pool was opened without `state` and `store`"

    async def gone(self) -> None:
        """Wait until nobody waits here any more; each looks once more after `close`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_LOOK_SECONDS):
                while self.callers:
                    self.left.clear()
                    await self.left.wait()

    def wake(self, chain_id: str) -> None:
        """A chain may have come to rest."""
        if event := self.events.get(chain_id):
            event.set()

    def wake_all(self) -> None:
        """Any chain may have come to rest."""
        for event in self.events.values():
            event.set()

    def close(self) -> None:
        """Nobody here carries chains on any more."""
        self.closed = True
        for event in self.events.values():
            event.set()

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

    async def _look(self) -> None:
        asked = list(self.events)
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            for chain_id in await self.database.read(
                partial(lookup.at_rest, chain_ids=some), forever=True
            ):
                self.wake(chain_id)

    @contextmanager
    def _waiting_for(self, chain_id: str) -> Iterator[asyncio.Event]:
        event = self.events.setdefault(chain_id, asyncio.Event())
        self.callers[chain_id] += 1
        try:
            yield event
        finally:
            self.callers[chain_id] -= 1
            if not self.callers[chain_id]:
                del self.callers[chain_id], self.events[chain_id]
            self.left.set()


def _is_at_rest(tx: Transaction, chain_id: str) -> bool:
    state = lookup.state_of(tx, chain_id)
    if state is None:
        raise UnknownChain(f"no chain has the id {chain_id!r}")
    return state in lookup.AT_REST
