"""Slots are handed over in order, and none is ever lost."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig
from claude_pool_gh.pool.model.errors import NoSlotAvailable, PoolShutdown
from claude_pool_gh.pool.model.ports import WorkspaceRequest
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.run.slots import Slot, SlotRequest, Slots, StoppedWaiting
from tests.pool.puppet import OpenPool, Puppet

PATIENT = 3600.0


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def make(count: int, *roles: str | None) -> list[Slot]:
    """Slots s0, s1 and so on, the first of them with these roles."""
    every = [*roles, *[None] * (count - len(roles))]
    return [Slot(f"s{number}", SlotConfig(role=role)) for number, role in enumerate(every)]


_AT_WORK: Final = set[asyncio.Task[None]]()


class Worker:
    """Holds a slot until told to let go."""

    def __init__(
        self,
        slots: Slots,
        need: SlotRequest | None = None,
        *,
        seconds: float | None = None,
        stop: asyncio.Event | None = None,
    ) -> None:
        self.slot: Slot | None = None
        self.served: str | None = None
        self.refusal: Exception | None = None
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._work(slots, need, seconds, stop))
        # A task that nobody holds may be collected while slots are handed out, and gives its own back in the middle.
        _AT_WORK.add(self.task)
        self.task.add_done_callback(_AT_WORK.discard)

    async def _work(
        self,
        slots: Slots,
        need: SlotRequest | None,
        seconds: float | None,
        stop: asyncio.Event | None,
    ) -> None:
        try:
            async with slots.lease(need, seconds=seconds, stop=stop) as self.slot:
                self.served = self.slot.id
                await self.done.wait()
        except (NoSlotAvailable, PoolShutdown, StoppedWaiting) as refusal:
            self.refusal = refusal
        self.slot = None

    @property
    def holds(self) -> str | None:
        return None if self.slot is None else self.slot.id

    async def let_go(self) -> None:
        self.done.set()
        await self.task
        await turns()

    async def cancel(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def holding(slots: Slots, need: SlotRequest | None = None) -> Worker:
    """Somebody who has a slot already."""
    worker = Worker(slots, need)
    await turns()
    assert worker.slot is not None
    return worker


async def waiting(
    slots: Slots, need: SlotRequest | None = None, *, stop: asyncio.Event | None = None
) -> Worker:
    """Somebody who has none yet, and no hurry."""
    worker = Worker(slots, need, seconds=PATIENT, stop=stop)
    await turns()
    assert (worker.slot, worker.refusal) == (None, None)
    return worker


# order


async def test_no_two_hold_the_same_slot() -> None:
    slots = Slots(make(2))
    workers = [Worker(slots) for _ in range(3)]
    await turns()
    assert [worker.holds for worker in workers] == ["s0", "s1", None]
    assert (slots.busy, slots.waiting, slots.count) == (2, 1, 2)


async def test_the_first_to_come_is_the_first_served() -> None:
    slots = Slots(make(1))
    workers = [Worker(slots) for _ in range(4)]
    for number, worker in enumerate(workers):
        await turns()
        assert [other.slot is not None for other in workers] == [
            other == number for other in range(4)
        ]
        worker.done.set()
    await turns()
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_a_lower_priority_number_goes_first_and_equals_keep_their_order() -> None:
    slots = Slots(make(1))
    last = await holding(slots)
    workers = {
        name: Worker(slots, SlotRequest(priority=priority))
        for name, priority in (("a", 1), ("b", 0), ("c", 1), ("d", 0), ("e", -1))
    }
    await turns()
    order = []
    for _ in workers:
        await last.let_go()
        [name] = [name for name, worker in workers.items() if worker.slot is not None]
        order.append(name)
        last = workers[name]
    assert order == ["e", "b", "d", "a", "c"]


async def test_one_who_is_on_the_way_is_not_overtaken() -> None:
    slots = Slots(make(1))
    slots.expect("first", 0, (1, 0))
    later = await waiting(slots, SlotRequest(since=(1, 1), ticket="later"))
    urgent = await holding(slots, SlotRequest(priority=-1, since=(9, 9)))
    first = await waiting(slots, SlotRequest(since=(1, 0), ticket="first"))
    await urgent.let_go()
    assert (first.holds, later.holds) == ("s0", None)


async def test_of_two_idle_slots_one_is_kept_for_who_is_on_the_way() -> None:
    slots = Slots(make(2))
    slots.expect("first", 0, (1, 0))
    assert (await holding(slots, SlotRequest(since=(1, 1)))).holds == "s0"
    last = await waiting(slots, SlotRequest(since=(1, 2)))
    assert (await holding(slots, SlotRequest(since=(1, 0), ticket="first"))).holds == "s1"
    assert last.holds is None


async def test_nobody_waits_for_one_who_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots(make(1))
    slots.expect("first", 0, (1, 0))
    second = await waiting(slots, SlotRequest(since=(1, 1)))
    slots.not_coming("first")
    await turns()
    assert second.holds == "s0"
    await second.let_go()
    monkeypatch.setattr("claude_pool_gh.pool.run.slots._ON_THE_WAY_SECONDS", 0.02)
    slots.expect("lost", 0, (2, 0))
    third = await waiting(slots, SlotRequest(since=(2, 1)))
    async with asyncio.timeout(30):
        while third.holds is None:
            await asyncio.sleep(0.01)
    assert third.holds == "s0", "however it was lost"


async def test_one_who_stops_waiting_is_passed_over() -> None:
    slots = Slots(make(1))
    holder, gone, next_one = Worker(slots), Worker(slots), Worker(slots)
    await turns()
    await gone.cancel()
    assert slots.waiting == 1
    await holder.let_go()
    assert (next_one.holds, slots.busy) == ("s0", 1)


@pytest.mark.parametrize("others", [0, 1])
async def test_a_cancel_in_the_moment_of_the_hand_over_loses_no_slot(others: int) -> None:
    slots = Slots(make(1))
    holder, cancelled = Worker(slots), Worker(slots)
    others_waiting = [Worker(slots) for _ in range(others)]
    await turns()
    holder.done.set()
    while slots.waiting > others:  # step by step, until the slot is on its way
        await asyncio.sleep(0)
    assert cancelled.slot is None, "the slot must not have arrived yet"
    await cancelled.cancel()
    await turns()
    assert [worker.holds for worker in others_waiting] == ["s0"] * others
    assert slots.busy == others


async def test_a_slot_comes_back_however_the_work_ends() -> None:
    slots = Slots(make(1))
    with pytest.raises(ZeroDivisionError):
        async with slots.lease():
            raise ZeroDivisionError
    worker = await holding(slots)
    assert slots.busy == 1
    await worker.cancel()
    assert slots.busy == 0


# roles, and one slot in particular


async def test_a_role_is_served_by_its_slots_only_and_others_by_any() -> None:
    slots = Slots(make(2, "reviewer"))
    reviewer, anybody = await holding(slots, SlotRequest(role="reviewer")), await holding(slots)
    assert (reviewer.holds, anybody.holds) == ("s0", "s1")
    first, second = await waiting(slots, SlotRequest(role="reviewer")), await waiting(slots)
    await anybody.let_go()
    assert (first.slot, second.holds) == (None, "s1"), (
        "whom the slot does not fit keeps nobody from it"
    )
    await reviewer.let_go()
    assert first.holds == "s0"


async def test_whoever_was_passed_over_keeps_the_place_in_the_queue() -> None:
    slots = Slots(make(2, "reviewer"))
    reviewer, anybody = await holding(slots, SlotRequest(role="reviewer")), await holding(slots)
    first = await waiting(slots, SlotRequest(role="reviewer"))
    second = await waiting(slots, SlotRequest(role="reviewer"))
    await anybody.let_go()
    late = await waiting(slots, SlotRequest(role="reviewer"))
    for expected in (first, second, late):
        await reviewer.let_go()
        assert expected.holds == "s0"
        reviewer = expected


async def test_a_wish_for_one_slot_waits_for_that_one() -> None:
    slots = Slots(make(2))
    one, two = await holding(slots), await holding(slots)
    faithful = await waiting(slots, SlotRequest(slot="s0"))
    await two.let_go()
    assert faithful.slot is None
    await one.let_go()
    assert faithful.holds == "s0"


# an end to waiting


async def test_each_waiter_has_a_deadline_of_its_own() -> None:
    slots = Slots(make(1))
    holder = await holding(slots)
    patient = await waiting(slots)
    hurried = Worker(slots, seconds=0.01)
    await hurried.task
    assert str(hurried.refusal) == "no slot came free within 0.01 seconds"
    assert isinstance(hurried.refusal, NoSlotAvailable)
    assert (patient.slot, patient.refusal, slots.waiting) == (None, None, 1)
    await holder.let_go()
    assert patient.holds == "s0"


async def test_no_time_to_wait_is_time_enough_for_a_slot_that_is_free() -> None:
    slots = Slots(make(1))
    async with slots.lease(seconds=0.0) as slot:
        assert slot.id == "s0"
        with pytest.raises(NoSlotAvailable, match="within 0 seconds"):
            async with slots.lease(seconds=0.0):
                pytest.fail("two hold one slot")
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_a_stop_ends_the_waiting_of_its_own_task_only() -> None:
    slots, stop = Slots(make(1)), asyncio.Event()
    holder = await holding(slots)
    stopped, other = await waiting(slots, stop=stop), await waiting(slots, stop=asyncio.Event())
    stop.set()
    await stopped.task
    assert isinstance(stopped.refusal, StoppedWaiting)
    assert slots.waiting == 1
    await holder.let_go()
    assert other.holds == "s0"


async def test_what_was_stopped_before_takes_no_slot() -> None:
    slots, stop = Slots(make(1)), asyncio.Event()
    stop.set()
    with pytest.raises(StoppedWaiting):
        async with slots.lease(stop=stop):
            pytest.fail("it was given a slot")
    assert slots.idle_ids == ["s0"]


async def test_a_stop_in_the_moment_of_the_hand_over_loses_no_slot() -> None:
    slots, stop = Slots(make(1)), asyncio.Event()
    holder = await holding(slots)
    stopped, other = await waiting(slots, stop=stop), await waiting(slots)
    holder.done.set()
    while slots.waiting > 1:
        await asyncio.sleep(0)
    assert stopped.slot is None, "the slot must not have arrived yet"
    stop.set()
    await turns()
    assert isinstance(stopped.refusal, StoppedWaiting)
    assert (stopped.served, other.holds, slots.busy) == (None, "s0", 1)


async def test_a_stop_does_not_take_away_a_slot_that_is_held() -> None:
    slots, stop = Slots(make(1)), asyncio.Event()
    worker = Worker(slots, stop=stop)
    await turns()
    stop.set()
    await turns()
    assert worker.holds == "s0", "whoever holds it ends the run, and then lets go"


async def test_a_close_ends_all_waiting_and_lets_those_who_hold_one_finish() -> None:
    slots = Slots(make(1))
    holder = await holding(slots)
    waiters = [await waiting(slots), await waiting(slots, stop=asyncio.Event())]
    slots.close()
    await turns()
    assert [type(waiter.refusal) for waiter in waiters] == [PoolShutdown, PoolShutdown]
    assert (holder.holds, slots.waiting) == ("s0", 0)
    await holder.let_go()
    assert slots.busy == 0
    late = Worker(slots)
    await turns()
    assert isinstance(late.refusal, PoolShutdown), "a slot that is free is handed out no more"


# what can never be


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (SlotRequest(role="writer"), "no slot has the role 'writer'; roles here: reviewer, tester"),
        (SlotRequest(slot="s9"), "s9 is gone, and the conversation that it kept with it"),
        (SlotRequest(slot="s2", role="reviewer"), "s2 is gone"),
    ],
)
async def test_what_no_slot_can_give_is_refused_at_once(need: SlotRequest, says: str) -> None:
    slots = Slots(make(3, "tester", "reviewer"))
    with pytest.raises(NoSlotAvailable, match=says):
        async with slots.lease(need, seconds=PATIENT):
            pytest.fail("it was given a slot")
    assert len(slots.idle_ids) == 3


async def test_a_waiter_whose_last_hope_retires_is_told() -> None:
    slots = Slots(make(2, "reviewer"))
    holder = await holding(slots, SlotRequest(role="reviewer"))
    reviewer, anybody = await waiting(slots, SlotRequest(role="reviewer")), await holding(slots)
    other = await waiting(slots)
    assert len(slots.retire(2)) == 2
    await turns()
    assert str(reviewer.refusal) == "no slot has the role 'reviewer'; roles here: reviewer"
    assert other.refusal is None, "somebody may add a slot"
    await holder.let_go()
    await anybody.let_go()
    assert slots.all == ()
    slots.add([Slot("new")])
    await turns()
    assert other.holds == "new"


# broken slots


async def test_a_broken_slot_goes_to_nobody_until_it_is_restarted() -> None:
    slots = Slots(make(1), revivable=lambda _slot: True)
    holder = await holding(slots)
    assert holder.slot is not None
    broken = holder.slot
    waiter = await waiting(slots)
    broken.broken = True
    await holder.let_go()
    assert (waiter.slot, waiter.refusal, slots.busy, slots.idle_ids) == (None, None, 0, [])
    slots.restart(broken)
    await turns()
    assert (waiter.slot, broken.broken, broken.restarts) == (broken, False, 1)


@pytest.mark.parametrize("when", ["before", "while it waits"])
async def test_where_all_is_broken_for_good_nobody_waits(when: str) -> None:
    slots = Slots(make(1))
    holder = await holding(slots)
    waiter = await waiting(slots) if when != "before" else None
    assert holder.slot is not None
    holder.slot.broken = True
    await holder.let_go()
    waiter = waiter or Worker(slots, seconds=PATIENT)
    await turns()
    assert isinstance(waiter.refusal, NoSlotAvailable)
    assert "errored and will not be restarted" in str(waiter.refusal)


async def test_one_slot_that_works_is_hope_enough() -> None:
    slots = Slots(make(2))
    first, second = await holding(slots), await holding(slots)
    waiter = await waiting(slots)
    assert first.slot is not None
    first.slot.broken = True
    await first.let_go()
    assert waiter.refusal is None
    await second.let_go()
    assert waiter.holds == "s1"


class Sick(SharedFolder):
    """Workspaces that cannot be made, as of a repository with a file name that no disk takes."""

    @asynccontextmanager
    async def lease(self, wanted: WorkspaceRequest) -> AsyncIterator[SharedFolder]:
        if self.folder.exists():
            raise OSError(f"{wanted.run_id}: file name too long")
        yield self


async def test_a_folder_that_cannot_be_made_wears_out_no_slot(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    sick = tmp_path / "sick"
    sick.mkdir()
    config = PoolConfig(max_restarts=0, retry_delay_secs=0.01)
    async with open_pool(Puppet(), config=config, workspaces=Sick(sick)) as pool:
        failed = await pool.run("a")
        assert (failed.success, failed.reason) == (False, "the run could not be set up (OSError)")
        sick.rmdir()
        assert (await pool.run("b")).success
        (slot,) = await pool.slots()
        assert slot.restart_count == 0


# more and fewer


async def test_a_new_slot_takes_what_waits() -> None:
    slots = Slots(make(1))
    await holding(slots)
    first, second = await waiting(slots), await waiting(slots)
    slots.add([Slot("n0"), Slot("n1"), Slot("n2")])
    await turns()
    assert [first.holds, second.holds, *slots.idle_ids] == ["n0", "n1", "n2"]
    assert slots.count == 4


async def test_those_retire_first_whom_nobody_would_miss() -> None:
    gone: list[str] = []
    slots = Slots(make(4), retired=lambda slot: gone.append(slot.id), revivable=lambda _slot: True)
    busy, broken = await holding(slots), await holding(slots)
    assert broken.slot is not None
    broken.slot.broken = True
    await broken.let_go()
    assert [slot.id for slot in slots.retire(1)] == ["s1"]
    assert gone == ["s1"]
    assert [slot.id for slot in slots.retire(3)] == ["s2", "s3", "s0"]
    assert (gone, busy.holds, slots.count, slots.busy) == (["s1", "s2", "s3"], "s0", 0, 1)
    await busy.let_go()
    assert gone == ["s1", "s2", "s3", "s0"]
    assert slots.all == ()


async def test_a_busy_slot_that_retires_takes_no_other_task() -> None:
    slots = Slots(make(2))
    first, second = await holding(slots), await holding(slots)
    waiter = await waiting(slots)
    assert [slot.id for slot in slots.retire(1)] == ["s0"]
    await first.let_go()
    assert waiter.slot is None
    await second.let_go()
    assert waiter.holds == "s1"


async def test_one_that_retires_already_is_not_counted_again() -> None:
    slots = Slots(make(2))
    await holding(slots)
    await holding(slots)
    assert [slot.id for slot in slots.retire(1)] == ["s0"]
    assert [slot.id for slot in slots.retire(5)] == ["s1"]
    assert slots.retire(1) == []


async def test_a_slot_that_broke_and_retires_before_its_task_has_ended_goes_once_and_then() -> None:
    gone: list[str] = []
    slots = Slots(make(1), retired=lambda slot: gone.append(slot.id))
    holder = await holding(slots)
    assert holder.slot is not None
    holder.slot.broken = True
    assert (slots.busy, len(slots.retire(1)), gone) == (1, 1, [])
    await holder.let_go()
    assert (gone, slots.all, slots.busy) == (["s0"], (), 0)


async def test_a_slot_that_retired_while_it_was_to_be_restarted_stays_gone() -> None:
    gone: list[str] = []
    slots = Slots(make(2), retired=lambda slot: gone.append(slot.id), revivable=lambda _slot: True)
    holder = await holding(slots)
    assert holder.slot is not None
    broken = holder.slot
    broken.broken = True
    await holder.let_go()
    slots.retire(1)
    slots.restart(broken)
    assert (gone, slots.idle_ids, slots.count) == (["s0"], ["s1"], 1)


# slots that live for one task


def heirs() -> Iterator[Slot]:
    return (Slot(f"heir-{number}") for number in itertools.count(1))


async def test_an_ephemeral_slot_serves_one_task_and_another_takes_its_place() -> None:
    renewals, retired = heirs(), list[str]()
    slots = Slots(
        make(1), renewed=lambda _slot: next(renewals), retired=lambda slot: retired.append(slot.id)
    )
    workers = [Worker(slots) for _ in range(3)]
    for worker in workers:
        await turns()
        await worker.let_go()
    assert [worker.served for worker in workers] == ["s0", "heir-1", "heir-2"]
    assert ([slot.id for slot in slots.all], slots.idle_ids, slots.count) == (
        ["heir-3"],
        ["heir-3"],
        1,
    )
    assert retired == [], "the number of slots is the same"


async def test_an_ephemeral_slot_that_breaks_or_retires_has_no_heir() -> None:
    renewals, retired = heirs(), list[str]()
    slots = Slots(
        make(2),
        renewed=lambda _slot: next(renewals),
        retired=lambda slot: retired.append(slot.id),
        revivable=lambda _slot: True,
    )
    first, second = await holding(slots), await holding(slots)
    assert first.slot is not None
    first.slot.broken = True
    await first.let_go()
    assert [slot.id for slot in slots.all] == ["s0", "s1"]
    slots.retire(2)
    await second.let_go()
    assert (retired, slots.all) == (["s0", "s1"], ())


# everything at once

ACTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["come", "leave", "cancel", "turn", "stop", "break", "restart", "add", "retire"]
        ),
        st.integers(0, 5),
    ),
    max_size=50,
)


class Story:
    """A pool's slots with whatever can happen to them."""

    def __init__(self, count: int, *, ephemeral: bool) -> None:
        renewals = heirs()
        self.retired: list[Slot] = []
        self.wanted = count
        self.added = self.leaving = 0
        self.workers: list[tuple[Worker, asyncio.Event]] = []
        self.slots = Slots(
            make(count),
            renewed=(lambda _slot: next(renewals)) if ephemeral else None,
            retired=self.retired.append,
            revivable=lambda _slot: True,
        )

    @property
    def held(self) -> list[Slot]:
        return [worker.slot for worker, _ in self.workers if worker.slot and not worker.task.done()]

    async def act(self, act: str, number: int) -> None:
        match act:
            case "come":
                stop = asyncio.Event()
                self.workers.append(
                    (Worker(self.slots, SlotRequest(priority=number % 3), stop=stop), stop)
                )
            case "turn":
                await asyncio.sleep(0)
            case "add":
                self.slots.add([Slot(f"n{self.added}")])
                self.added += 1
            case "retire":
                self.leaving += len(self.slots.retire(number % 2))
            case "restart":
                for slot in [
                    slot for slot in self.slots.all if slot.broken and slot not in self.held
                ]:
                    self.slots.restart(slot)
            case _:
                if self.workers:
                    self.to_one(act, *self.workers[number % len(self.workers)])

    def to_one(self, act: str, worker: Worker, stop: asyncio.Event) -> None:
        match act:
            case "leave":
                worker.done.set()
            case "cancel":
                worker.task.cancel()
            case "stop":
                stop.set()
            case "break" if worker.slot in self.held:
                worker.slot.broken = True

    def check(self) -> None:
        held = self.held
        assert len(held) == len(set(held)) <= self.slots.busy <= len(self.slots.all)
        assert self.slots.count == self.wanted + self.added - self.leaving

    async def end(self) -> None:
        for worker, stop in self.workers:
            worker.done.set()
            stop.set()
        await asyncio.gather(*(worker.task for worker, _ in self.workers), return_exceptions=True)
        broken = [slot for slot in self.slots.all if slot.broken]
        assert (self.slots.busy, self.slots.waiting) == (0, 0)
        assert len(self.retired) == len(set(self.retired)) == self.leaving
        assert len(self.slots.all) == len(self.slots.idle_ids) + len(broken) == self.slots.count


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), ACTS, st.booleans())
def test_slots_are_neither_lost_nor_shared_whatever_happens(
    count: int, acts: list[tuple[str, int]], ephemeral: bool
) -> None:
    async def live() -> None:
        story = Story(count, ephemeral=ephemeral)
        for act, number in acts:
            await story.act(act, number)
            story.check()
        await story.end()

    asyncio.run(live())
