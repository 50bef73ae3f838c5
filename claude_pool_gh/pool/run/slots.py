"""Slots: places where one agent runs at a time. A freed slot is handed over by a wake-up, never by a poll.

How it works. A slot is leased, idle, or broken and held by nobody; the lists of idle and broken
ones say which, and what is in neither is leased. Who waits stands in a heap by priority, then by
the age of its work, then by arrival: a heap, since work that is older than what waits already may
come at any time, from the queue or back from a person's approval.

Only `_hand_out` gives a slot to a waiter. It never awaits, so nothing comes between finding a
slot and giving it, and whatever may have made a fit possible calls it: a new waiter, a slot that
came free, was added, restarted or changed, and somebody who was expected and does not come.
Whoever leaves the line leaves its entry in the heap, with its future done, and `_hand_out` drops
it there.

Between being taken up from the queue and asking for a slot, a chain is in no heap. Without
`expect`, a slot that comes free in these milliseconds would go to whoever waits behind it. So the
dispatcher announces each chain that it takes up with its place, and `_hand_out` keeps back one
idle slot for each who is on the way and comes first.

Nobody waits for what cannot come: when the last slot that fits goes, its waiters are told at
once.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.errors import NoSlotAvailable, PoolShutdown

_ON_THE_WAY_SECONDS: Final = 5.0
"""How long a slot is kept at most for somebody who was expected: from the queue to the slot it takes milliseconds."""


@dataclass(slots=True, eq=False)
class Slot:
    """One slot of this process. Its row in the database says the same to everybody else."""

    id: str
    config: SlotConfig = field(default_factory=SlotConfig)
    broken: bool = False
    """Set by whoever holds it when its run could not be carried out: it goes to nobody until it is restarted."""
    retiring: bool = False
    heir: str | None = None
    """Id of the slot that takes the place of an ephemeral one."""
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRequest:
    """The slot that a waiter wants."""

    priority: int = 0
    """Lower goes first; within a priority, first come first served."""
    role: str | None = None
    slot: str | None = None
    """This very slot."""
    since: tuple[int, ...] = ()
    """Orders waiters of a priority by when their work was made. Default: by when they came."""
    ticket: str | None = None
    """The name under which `Slots.expect` was told of this waiter."""
    patience: float | None = None
    """Seconds that were granted in all, which whoever waits in vain is told."""

    def fits(self, slot: Slot) -> bool:
        """True where a slot will do."""
        return (self.role is None or slot.config.role == self.role) and self.slot in (None, slot.id)


class StoppedWaiting(Exception):
    """The run is no longer wanted; no slot was taken."""


@dataclass(slots=True, eq=False)
class _Waiter:
    need: SlotRequest
    given: asyncio.Future[Slot]


class Slots:
    """The slots of this process."""

    def __init__(
        self,
        slots: Iterable[Slot],
        *,
        renewed: Callable[[Slot], Slot] | None = None,
        retired: Callable[[Slot], None] = lambda _slot: None,
        revivable: Callable[[Slot], bool] = lambda _slot: False,
    ) -> None:
        """`renewed`: what takes the place of a slot that served one task, where slots are ephemeral.

        `retired` is told when a slot is gone for good; `revivable` says whether a broken one may come back.
        """
        self._all = {slot.id: slot for slot in slots}
        self._idle = list(self._all.values())
        self._broken: list[Slot] = []  # and not held any more
        self._waiting: list[tuple[int, tuple[int, ...], int, _Waiter]] = []
        self._arrivals = itertools.count()
        self._expected: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._renewed, self._retired, self._revivable = renewed, retired, revivable
        self.closing = asyncio.Event()
        """Set when slots are handed out no more."""

    @property
    def all(self) -> tuple[Slot, ...]:
        """Every slot that is not gone."""
        return tuple(self._all.values())

    @property
    def idle_ids(self) -> list[str]:
        """The slots that wait for work."""
        return [slot.id for slot in self._idle]

    @property
    def count(self) -> int:
        """The number of slots that take work, now or when they are free."""
        return sum(not slot.retiring for slot in self._all.values())

    @property
    def busy(self) -> int:
        """The number of slots that are leased now."""
        return len(self._all) - len(self._idle) - len(self._broken)

    @property
    def broken(self) -> tuple[Slot, ...]:
        """The slots that broke, and that nobody holds any more."""
        return tuple(self._broken)

    @property
    def next_priority(self) -> int | None:
        """Priority of the task that gets the next slot; None while none waits."""
        return min(
            (priority for priority, *_, waiter in self._waiting if not waiter.given.done()),
            default=None,
        )

    @property
    def waiting(self) -> int:
        """The number of tasks that wait for a slot now."""
        return sum(1 for *_, waiter in self._waiting if not waiter.given.done())

    @asynccontextmanager
    async def lease(
        self,
        need: SlotRequest | None = None,
        *,
        seconds: float | None = None,
        stop: asyncio.Event | None = None,
    ) -> AsyncIterator[Slot]:
        """Wait for a slot and hold it; it comes back however the block ends.

        Raises NoSlotAvailable after `seconds`, or at once where no slot will ever do; StoppedWaiting when `stop` is
        set; PoolShutdown when the pool closes.
        """
        slot = await self._take(need or SlotRequest(), seconds, stop)
        try:
            yield slot
        finally:
            self._give_back(slot)

    def expect(self, ticket: str, priority: int, since: tuple[int, ...]) -> None:
        """Somebody with this place in the line is on the way: who comes after it does not overtake it meanwhile.

        Ends when it asks for a slot, with `not_coming`, or after some seconds, whatever became of it.
        """
        self._expected[ticket] = (priority, since)
        asyncio.get_running_loop().call_later(_ON_THE_WAY_SECONDS, self.not_coming, ticket)

    def not_coming(self, ticket: str) -> None:
        """Stop waiting for one that was expected: it does something else first."""
        if self._expected.pop(ticket, None) is not None:
            self._hand_out()

    def add(self, slots: Iterable[Slot]) -> None:
        """More slots, which take what waits."""
        for slot in slots:
            self._all[slot.id] = slot
            self._offer(slot)

    def retire(self, count: int) -> list[Slot]:
        """Take slots out of service, those first that nobody would miss: broken, then idle, then busy ones.

        A busy one goes when its task has ended, and takes no other.
        """
        standing = [slot for slot in self._all.values() if not slot.retiring]
        standing.sort(key=lambda slot: 0 if slot.broken else 1 if slot in self._idle else 2)
        chosen = standing[:count]
        for slot in chosen:
            slot.retiring = True
            if slot in self._idle or slot in self._broken:
                self._drop(slot)
        self._fail_the_hopeless()
        return chosen

    def configure(self, slot: Slot, config: SlotConfig) -> None:
        """Change what a slot is for; who waits for what it now is, or was, learns of it."""
        slot.config = config
        if slot in self._idle:
            self._idle.remove(slot)
            self._offer(slot)
        self._fail_the_hopeless()

    def restart(self, slot: Slot) -> None:
        """Put a broken slot back into service."""
        slot.broken, slot.restarts = False, slot.restarts + 1
        if slot in self._broken:  # else it has retired meanwhile
            self._broken.remove(slot)
            self._offer(slot)

    def close(self) -> None:
        """Hand out no slot any more: every waiter gets PoolShutdown."""
        self.closing.set()
        for *_, waiter in self._waiting:
            if not waiter.given.done():
                waiter.given.set_exception(PoolShutdown("the pool takes no more work"))
        self._waiting.clear()

    async def _take(
        self, need: SlotRequest, seconds: float | None, stop: asyncio.Event | None
    ) -> Slot:
        if self.closing.is_set():
            raise PoolShutdown("the pool takes no more work")
        if stop is not None and stop.is_set():
            raise StoppedWaiting
        self._expected.pop(need.ticket or "", None)
        self._check_hope(need)
        waiter = _Waiter(need, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, (need.priority, need.since, next(self._arrivals), waiter))
        self._hand_out()
        return (
            waiter.given.result()
            if waiter.given.done()
            else await self._wait(waiter, seconds, stop)
        )

    async def _wait(
        self, waiter: _Waiter, seconds: float | None, stop: asyncio.Event | None
    ) -> Slot:
        stopping = None if stop is None else asyncio.create_task(stop.wait())
        signs: list[asyncio.Future[Any]] = (
            [waiter.given] if stopping is None else [waiter.given, stopping]
        )
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait(signs, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            self._forget(waiter)
            granted = waiter.need.patience or seconds
            raise NoSlotAvailable(f"no slot came free within {granted:g} seconds") from error
        except asyncio.CancelledError:
            self._forget(waiter)
            raise
        finally:
            if stopping is not None:
                stopping.cancel()
        if not waiter.given.done() or (stop is not None and stop.is_set()):
            self._forget(waiter)
            raise StoppedWaiting
        return waiter.given.result()

    def _forget(self, waiter: _Waiter) -> None:
        """Nobody waits here any more; a slot that was handed over in this very moment goes to the next."""
        if not waiter.given.done():
            waiter.given.cancel()
        elif not waiter.given.cancelled() and waiter.given.exception() is None:
            self._offer(waiter.given.result())

    def _give_back(self, slot: Slot) -> None:
        if slot.retiring:
            return self._drop(slot)
        if slot.broken:
            self._broken.append(slot)
            return self._fail_the_hopeless()
        if self._renewed is not None:
            del self._all[slot.id]
            slot = self._renewed(slot)
            self._all[slot.id] = slot
        return self._offer(slot)

    def _offer(self, slot: Slot) -> None:
        if slot.retiring:
            return self._drop(slot)
        self._idle.append(slot)
        return self._hand_out()

    def _hand_out(self) -> None:
        """Give idle slots to whoever waits, in their order; each who comes before them and is on the way keeps one."""
        passed_over = []
        while self._idle and self._waiting:
            entry = heapq.heappop(self._waiting)
            waiter = entry[-1]
            if waiter.given.done():
                continue
            slot = next((slot for slot in self._idle if waiter.need.fits(slot)), None)
            ahead = sum(place < entry[:2] for place in self._expected.values())
            if slot is None or len(self._idle) <= ahead:
                passed_over.append(entry)
                continue
            self._idle.remove(slot)
            waiter.given.set_result(slot)
        for entry in passed_over:
            heapq.heappush(self._waiting, entry)

    def _drop(self, slot: Slot) -> None:
        del self._all[slot.id]
        for waiting in (self._idle, self._broken):
            if slot in waiting:
                waiting.remove(slot)
        self._retired(slot)

    def _fail_the_hopeless(self) -> None:
        for *_, waiter in list(self._waiting):
            try:
                self._check_hope(waiter.need)
            except NoSlotAvailable as error:
                if not waiter.given.done():
                    waiter.given.set_exception(error)

    def _check_hope(self, need: SlotRequest) -> None:
        """Raises NoSlotAvailable where no slot can ever do: better now than after hours."""
        fitting = [slot for slot in self._all.values() if need.fits(slot) and not slot.retiring]
        if not fitting and need.slot is not None:
            raise NoSlotAvailable(f"{need.slot} is gone, and the conversation that it kept with it")
        if not fitting and need.role is not None:
            roles = (
                ", ".join(
                    sorted({slot.config.role for slot in self._all.values() if slot.config.role})
                )
                or "none"
            )
            raise NoSlotAvailable(f"no slot has the role {need.role!r}; roles here: {roles}")
        if fitting and all(slot.broken and not self._revivable(slot) for slot in fitting):
            raise NoSlotAvailable(
                "every slot that would do is errored and will not be restarted; restart or add one"
            )
