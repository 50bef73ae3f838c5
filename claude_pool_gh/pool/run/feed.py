"""Tells subscribers what happens: each has a queue of its own, bounded, and learns how much it missed.

What a transaction moved is told once it is committed; one that is rolled back, or tried again, tells nothing twice.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Final, Self, TypeVar
from weakref import WeakSet

from claude_pool_gh.pool.model.events import (
    ChainFinished,
    Event,
    Missed,
    PartialOutput,
    event_of,
    step_of,
)
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.ports import AgentChannel
from claude_pool_gh.pool.model.states import Move, noting
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.storage import Transaction

T = TypeVar("T")
_LOOK_SECONDS: Final = 1.0
LIMIT: Final = 1_000
"""Events that wait for a subscriber at most."""


@dataclass(frozen=True, slots=True)
class _Speaking:
    """Stands in a queue for what an agent says: what it has said is read when it is the subscriber's turn."""

    chain_id: ChainId
    task_id: TaskId
    line: AgentChannel

    @property
    def event(self) -> PartialOutput:
        return PartialOutput(
            chain_id=self.chain_id,
            step=step_of(self.task_id),
            task_id=self.task_id,
            text=self.line.partial,
        )


class Subscription:
    """An asynchronous iterator over events, from the moment at which it was made.

    Ends when its pool is closed and, where it is for one chain, after that chain's `ChainFinished`.
    """

    def __init__(
        self,
        limit: int,
        only: str | None = None,
        ended: Callable[[], Awaitable[ChainFinished | None]] | None = None,
    ) -> None:
        """`only`: the chain to tell of; `ended` looks whether it has, as nothing is told of its end elsewhere."""
        self._only, self._ended, self._limit = only, ended, max(1, limit)
        self._queue: deque[Event | _Speaking] = deque()
        self._speaking: set[TaskId] = set()
        self._missed, self._closed = 0, False
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Self:
        """The subscription itself: iterated again, it goes on where it was."""
        return self

    async def __anext__(self) -> Event:
        """The next event. Raises UnknownChain for a chain that is not there."""
        while not self._queue and not self._missed:
            if self._closed:
                raise StopAsyncIteration
            if self._ended is not None and (end := await self._ended()) is not None:
                self.put(end)  # unless it came meanwhile: then it is closed
                continue
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self._ended is None else _LOOK_SECONDS):
                    await self._arrived.wait()
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(count=missed)
        return self._taken(self._queue.popleft())

    def close(self) -> None:
        """End it after what waits in it now."""
        self._closed = True
        self._arrived.set()

    def put(self, each: Event | _Speaking) -> None:
        """Tell it of something, if it is for that; called in the event loop."""
        if self._closed or (
            self._only is not None and getattr(each, "chain_id", None) != self._only
        ):
            return
        if isinstance(each, _Speaking):
            if each.task_id in self._speaking:
                return
            self._speaking.add(each.task_id)
        if len(self._queue) >= self._limit:
            self._taken(self._queue.popleft())
            self._missed += 1
        self._queue.append(each)
        self._arrived.set()
        if self._only is not None and isinstance(each, ChainFinished):
            self._closed = True

    def _taken(self, each: Event | _Speaking) -> Event:
        if isinstance(each, _Speaking):
            self._speaking.discard(each.task_id)
            return each.event
        return each


def recorded(work: Callable[[Transaction], T]) -> Callable[[Transaction], tuple[T, Sequence[Move]]]:
    """A transaction's work that also returns what it moved, to be published once it is committed."""

    @wraps(work)
    def noted(tx: Transaction) -> tuple[T, Sequence[Move]]:
        with noting() as moves:
            result = work(tx)
        return result, moves

    return noted


def end_of(chain: ChainRow) -> ChainFinished | None:
    """The event of a chain's end; None while it has not ended."""
    if chain.outcome is None:
        return None
    verdict, reason = chain.outcome.verdict, chain.outcome.reason
    return ChainFinished(chain_id=ChainId(chain.id), verdict=verdict, reason=reason)


@dataclass(slots=True)
class Feed:
    """Everybody who listens to a pool."""

    subscriptions: WeakSet[Subscription] = field(default_factory=WeakSet)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _thread: int = field(default_factory=threading.get_ident)

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Tell it of everything from now on, as long as somebody holds it."""
        self.subscriptions.add(subscription)
        return subscription

    def publish(self, moves: Sequence[Move]) -> None:
        """Tell everybody what a transaction moved, which is committed by now."""
        if not moves or not self.subscriptions:
            return
        events = [event for move in moves if (event := event_of(move)) is not None]
        # a chain's end comes after all of it
        events.sort(key=lambda event: isinstance(event, ChainFinished))
        for subscription in list(self.subscriptions):
            for event in events:
                subscription.put(event)

    def ended(self, event: ChainFinished) -> None:
        """Tell everybody of the end of a chain that nobody carried."""
        for subscription in list(self.subscriptions):
            subscription.put(event)

    def spoke(self, chain_id: str, task_id: str, line: AgentChannel) -> None:
        """An agent has said more. May be called from any thread, as an agent of one's own may be in one."""
        if not self.subscriptions:
            return
        speaking = _Speaking(ChainId(chain_id), TaskId(task_id), line)
        if threading.get_ident() == self._thread:
            self._tell(speaking)
        else:
            self._loop.call_soon_threadsafe(self._tell, speaking)

    def close(self) -> None:
        """Nothing more happens here."""
        for subscription in list(self.subscriptions):
            subscription.close()

    def _tell(self, speaking: _Speaking) -> None:
        for subscription in list(self.subscriptions):
            subscription.put(speaking)
