"""More slots and fewer, while the pool works: within the bounds, whole or not at all, and no task pays for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig, SlotConfig
from claude_pool_gh.pool.model.errors import ScalingRefused
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import SlotFilter
from claude_pool_gh.pool.model.states import SlotState, TaskState
from tests.pool.acts import GUARD, Payer, until, until_here, until_idle, until_slot_is
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed

UP_TO_4 = PoolConfig(scaling=ScalingConfig(min_slots=1, max_slots=4), supervisor_enabled=False)


async def test_a_pool_is_not_opened_with_a_number_of_slots_outside_its_bounds(
    open_pool: OpenPool,
) -> None:
    for count in (0, 5):
        with pytest.raises(ScalingRefused, match=f"{count} slots are not between 1 and 4"):
            async with open_pool(Puppet(), slots=count, config=UP_TO_4):
                raise AssertionError
    async with open_pool(Puppet(), slots=4, config=UP_TO_4) as pool:
        assert (await pool.run("a")).success


async def test_what_passes_the_bounds_is_refused_and_changes_nothing(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2, config=UP_TO_4) as pool:
        before = await pool.slots()
        for refused in (
            lambda: pool.scale_up(3),
            lambda: pool.scale_up(1000),
            lambda: pool.scale_up(-1),
            lambda: pool.scale_down(2),
            lambda: pool.scale_down(1000),
            lambda: pool.scale_down(-1),
            lambda: pool.set_target_slots(0),
            lambda: pool.set_target_slots(5),
            lambda: pool.set_target_slots(-3),
        ):
            with pytest.raises(ScalingRefused):
                await refused()
        assert (await pool.slots(), pool.load.slots) == (before, 2)
        assert (await pool.scale_up(0), await pool.scale_down(0)) == ([], [])
        assert (await pool.run("a")).success


async def test_new_slots_take_waiting_work_at_once_with_the_settings_they_were_given(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, config=UP_TO_4) as pool:
        ids = [await pool.submit(str(number)) for number in range(4)]
        await until_here(lambda: agent.running == 1)
        names = await pool.scale_up(3, config=SlotConfig(role="helper", model="h"))
        await until_here(lambda: agent.running == 4)
        assert names == ["slot-1", "slot-2", "slot-3"]
        assert [slot.config.role for slot in await pool.slots()] == [
            None,
            "helper",
            "helper",
            "helper",
        ]
        assert sorted(task.model for task in agent.seen) == ["", "h", "h", "h"]
        gate.opened.set()
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
        await until_idle(pool, 4)


async def test_many_who_scale_up_at_once_never_pass_the_bound_and_never_share_a_name(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet(), config=PoolConfig(scaling=ScalingConfig(max_slots=6))) as pool:
        answers = await asyncio.gather(
            *(pool.scale_up(2) for _ in range(6)), return_exceptions=True
        )
        made = [name for answer in answers if isinstance(answer, list) for name in answer]
        refused = [answer for answer in answers if isinstance(answer, ScalingRefused)]
        assert (len(made), len(refused), len(set(made))) == (4, 4, 4)
        assert {slot.id for slot in await pool.slots()} == {"slot-0", *made}
        assert (pool.load.slots, (await pool.status()).total_slots) == (5, 5)


async def test_names_are_not_given_twice_while_scaling_up_and_down(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2, config=UP_TO_4) as pool:
        seen = [slot.id for slot in await pool.slots()]
        for _ in range(3):
            added = await pool.scale_up(2)
            assert not set(added) & set(seen)
            gone = await pool.scale_down(2)
            for each in gone:
                await until_slot_is(pool, each, SlotState.stopped)
            seen += added
        assert len(set(seen)) == len(seen) == 8
        assert (await pool.run("a")).success


async def test_idle_slots_go_first_and_a_busy_one_ends_its_task_and_takes_no_other(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 50)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(
        agent, slots=[SlotConfig(role=each) for each in "abc"], config=UP_TO_4
    ) as pool:
        ids = [await pool.submit("1", role="a"), await pool.submit("2", role="c")]
        await until_here(lambda: agent.running == 2)
        assert await pool.scale_down(1) == ["slot-1"], "the only idle one"
        (going,) = await pool.scale_down(1)
        queued = [await pool.submit(str(number)) for number in range(3)]
        await until_here(lambda: pool.load.tasks_waiting == 2)
        assert pool.load.slots == 1
        gate.opened.set()
        for each in [*ids, *queued]:
            result = await pool.wait(each, timeout_secs=GUARD)
            assert (result.ending, result.cost_microdollars) == (Ending.completed, 50)
        of_it = [task for task in await pool.tasks() if task.slot_id == going]
        assert [task.id in ids for task in of_it] == [True], "it took no other task"
        await until_slot_is(pool, going, SlotState.stopped)
        await until_idle(pool, 1)
        status, summary = await pool.status(), await pool.drain()
    assert (status.total_slots, status.total_spend_microdollars) == (1, 250)
    assert summary.total_cost_microdollars == 250, "what a slot spent is not gone with it"
    assert summary.total_tasks_completed == 5


async def test_a_broken_slot_is_the_first_to_go(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.prompt == "break":
            return failed(broken=True)
        return await echo(task, folder, line)

    config = UP_TO_4.model_copy(update={"retry_delay_secs": 0.01})
    async with open_pool(
        Puppet(act), slots=[SlotConfig(role=each) for each in "abc"], config=config
    ) as pool:
        assert not (await pool.run("break", role="b")).success
        await until_slot_is(pool, "slot-1", SlotState.errored)
        assert await pool.scale_down(1) == ["slot-1"]
        await until_idle(pool, 2)
        assert [(await pool.run("a", role=role)).success for role in "abc"] == [True, False, True]


async def test_a_slot_that_breaks_in_its_last_task_is_gone_all_the_same(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await gate(task, folder, line)
        return failed(broken=True, retryable=True)

    agent = Puppet(act)
    quick = {
        "retry_delay_secs": 0.01,
        "retries": 1,
        "supervisor_enabled": True,
        "supervisor_interval_secs": 0.02,
    }
    config = UP_TO_4.model_copy(update=quick)
    async with open_pool(
        agent, slots=[SlotConfig(role="a"), SlotConfig(role="b")], config=config
    ) as pool:
        ids = [await pool.submit(role, role=role) for role in "ab"]
        await until_here(lambda: agent.running == 2)
        (going,) = await pool.scale_down(1)
        agent.act = echo
        gate.opened.set()
        for each in ids:
            await pool.wait(each, timeout_secs=GUARD)
        await until_slot_is(pool, going, SlotState.stopped)
        assert ((await pool.status()).total_slots, pool.load.slots, pool.load.busy) == (1, 1, 0)


async def test_who_waits_for_a_slot_that_goes_is_told(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(
        agent, slots=[SlotConfig(role="a"), SlotConfig(role="b")], config=UP_TO_4
    ) as pool:
        ids = {role: await pool.submit(role, role=role) for role in "ab"}
        await until_here(lambda: agent.running == 2)
        waiting = {role: await pool.submit(f"{role} again", role=role) for role in "ab"}
        await until_here(lambda: pool.load.tasks_waiting == 2)
        (gone,) = await pool.scale_down(1)
        role, other = ("a", "b") if gone == "slot-0" else ("b", "a")
        result = await pool.wait(waiting[role], timeout_secs=GUARD)
        assert (result.success, result.reason) == (
            False,
            f"no slot has the role '{role}'; roles here: a, b",
        )
        gate.opened.set()
        assert (await pool.wait(ids[role], timeout_secs=GUARD)).success, "what it ran it ends"
        assert (await pool.wait(waiting[other], timeout_secs=GUARD)).success


async def test_a_target_is_reached_from_above_and_from_below(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2, config=UP_TO_4) as pool:
        for target in (4, 1, 1, 3):
            await pool.set_target_slots(target)
            assert pool.load.slots == target
            await until_idle(pool, target)
        left = {slot.id for slot in await pool.slots(SlotFilter(state=SlotState.stopped))}
        assert (len(left), left & {slot.id for slot in await pool.slots()}) == (3, set())


async def test_a_pool_without_slots_keeps_its_tasks_until_there_is_one(open_pool: OpenPool) -> None:
    config = PoolConfig(scaling=ScalingConfig(min_slots=0, max_slots=2))
    agent = Puppet()
    async with open_pool(agent, slots=1, config=config) as pool:
        await pool.set_target_slots(0)
        task_id = await pool.submit("a")
        assert (agent.seen, (await pool.task(task_id)).state) == ([], TaskState.pending)
        assert await pool.scale_up(1) != []
        assert (await pool.wait(task_id, timeout_secs=GUARD)).output == "<a>"

        async def one() -> bool:
            return (await pool.status()).total_slots == 1

        await until(one)
