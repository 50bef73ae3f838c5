"""Slots are handed over in order, and none is ever lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.pool.slots import Slots


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


class Worker:
    """Holds a slot until told to let go."""

    def __init__(self, slots: Slots, priority: int = 0) -> None:
        self.slot: int | None = None
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._work(slots, priority))

    async def _work(self, slots: Slots, priority: int) -> None:
        async with slots.lease(priority=priority) as self.slot:
            await self.done.wait()
        self.slot = None

    async def cancel(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


@pytest.mark.parametrize("count", [0, -1])
def test_a_pool_needs_a_slot(count: int) -> None:
    with pytest.raises(ValueError, match="at least one slot"):
        Slots(count)


async def test_no_two_hold_the_same_slot() -> None:
    slots = Slots(2)
    workers = [Worker(slots) for _ in range(3)]
    await turns()
    assert [worker.slot for worker in workers] == [0, 1, None]
    assert (slots.busy, slots.waiting) == (2, 1)


async def test_the_first_to_come_is_the_first_served() -> None:
    slots = Slots(1)
    workers = [Worker(slots) for _ in range(4)]
    for number, worker in enumerate(workers):
        await turns()
        assert [other.slot is not None for other in workers] == [other == number for other in range(4)]
        worker.done.set()
    await turns()
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_a_lower_priority_number_goes_first_and_equals_keep_their_order() -> None:
    slots = Slots(1)
    holder = Worker(slots)
    await turns()
    workers = {
        name: Worker(slots, priority)
        for name, priority in (("a", 1), ("b", 0), ("c", 1), ("d", 0), ("e", -1))
    }
    await turns()
    order = []
    last = holder
    for _ in workers:
        last.done.set()
        await turns()
        [name] = [name for name, worker in workers.items() if worker.slot is not None]
        order.append(name)
        last = workers[name]
    assert order == ["e", "b", "d", "a", "c"]


async def test_one_who_stops_waiting_is_passed_over() -> None:
    slots = Slots(1)
    holder, gone, next_one = Worker(slots), Worker(slots), Worker(slots)
    await turns()
    await gone.cancel()
    assert slots.waiting == 1
    holder.done.set()
    await turns()
    assert (next_one.slot, slots.busy) == (0, 1)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_cancel_in_the_moment_of_the_hand_over_loses_no_slot(others: int) -> None:
    slots = Slots(1)
    holder, cancelled = Worker(slots), Worker(slots)
    waiting = [Worker(slots) for _ in range(others)]
    await turns()
    holder.done.set()
    while slots.waiting > others:  # step by step, until the slot is on its way
        await asyncio.sleep(0)
    assert cancelled.slot is None, "the slot must not have arrived yet"
    await cancelled.cancel()
    await turns()
    assert [worker.slot for worker in waiting] == [0] * others
    assert slots.busy == others


async def test_a_slot_comes_back_however_the_work_ends() -> None:
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError):
        async with slots.lease():
            raise ZeroDivisionError
    worker = Worker(slots)
    await turns()
    assert slots.busy == 1
    await worker.cancel()
    assert slots.busy == 0


ACTS = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "cancel", "turn"]), st.integers(0, 5)), max_size=40
)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), ACTS)
def test_slots_are_neither_lost_nor_shared_whatever_happens(count: int, acts: list[tuple[str, int]]) -> None:
    async def story() -> None:
        slots = Slots(count)
        workers: list[Worker] = []
        for act, number in acts:
            if act == "come":
                workers.append(Worker(slots, number % 3))
            elif act == "turn":
                await asyncio.sleep(0)
            elif workers:
                worker = workers[number % len(workers)]
                worker.done.set() if act == "leave" else worker.task.cancel()
            held = [worker.slot for worker in workers if worker.slot is not None and not worker.task.done()]
            assert len(held) == len(set(held)) <= slots.busy <= count
        for worker in workers:
            worker.done.set()
        await asyncio.gather(*(worker.task for worker in workers), return_exceptions=True)
        assert (slots.busy, slots.waiting) == (0, 0)

    asyncio.run(story())
