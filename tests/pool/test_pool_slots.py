"""Slots: what breaks one, what brings it back, and what of a task stays on it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, SlotMode
from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import SlotFilter, SlotRecord
from claude_pool_gh.pool.model.states import SlotState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.storage import Transaction
from tests.pool.acts import GUARD, Payer, Witness, until, until_here, until_idle, until_slot_is
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed, said

QUICK = {"supervisor_interval_secs": 0.02, "retry_delay_secs": 0.01, "retries": 1}


CRASHED = failed("no such program: claude", retryable=True, broken=True)


class Crash:
    """An act that cannot be carried out for its first prompts, and then does as it is asked."""

    def __init__(self, times: float) -> None:
        self.times = times

    async def __call__(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if self.times > 0:
            self.times -= 1
            return CRASHED
        return await echo(task, folder, line)


async def the_slot(pool: Pool) -> SlotRecord:
    (slot,) = await pool.slots()
    return slot


async def test_an_agent_that_cannot_run_breaks_its_slot_which_comes_back_by_itself(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(Crash(1))
    async with open_pool(agent, config=PoolConfig(**QUICK)) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        (task,) = await pool.tasks()
        assert (result.success, task.attempts) == (True, 2)
        assert "no such program: claude" in agent.prompts[1]
        await until_idle(pool, 1)
        slot = await the_slot(pool)
    assert (slot.restart_count, slot.tasks_completed) == (0, 1), (
        "a completed task gives the restarts back"
    )


async def test_a_slot_is_restarted_only_so_often_in_a_row_and_then_waits_for_a_person(
    open_pool: OpenPool,
) -> None:
    crash = Crash(float("inf"))
    agent = Puppet(crash)
    async with open_pool(agent, config=PoolConfig(max_restarts=2, **QUICK)) as pool:
        results = [await asyncio.wait_for(pool.run(prompt), GUARD) for prompt in ("a", "b")]
        await until_slot_is(pool, "slot-0", SlotState.errored)
        slot = await the_slot(pool)
        assert (slot.restart_count, len(agent.seen)) == (2, 3), (
            "one run, and one after each restart"
        )
        assert [result.success for result in results] == [False, False]
        assert results[0].reason == "no such program: claude"
        assert results[1].reason.startswith(
            "every slot that would do is errored and will not be restarted"
        )
        crash.times = 0
        hopeless = await asyncio.wait_for(pool.run("c"), GUARD)
        assert (hopeless.success, hopeless.ending) == (False, Ending.failed)
        await pool.restart_slot("slot-0")
        assert (await asyncio.wait_for(pool.run("d"), GUARD)).output == "<d>"
        await until_idle(pool, 1)
        assert (await the_slot(pool)).restart_count == 0


async def test_restarts_are_counted_in_a_row_so_a_task_that_completes_gives_them_back(
    open_pool: OpenPool,
) -> None:
    crash = Crash(1)
    async with open_pool(Puppet(crash), config=PoolConfig(max_restarts=1, **QUICK)) as pool:
        for prompt in "abc":
            crash.times = 1
            assert (await asyncio.wait_for(pool.run(prompt), GUARD)).success, (
                "each of them once again"
            )


async def test_without_a_supervisor_a_broken_slot_stays_so_and_who_waits_is_told(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await gate(task, folder, line)
        return CRASHED

    agent = Puppet(act)
    async with open_pool(agent, config=PoolConfig(supervisor_enabled=False, **QUICK)) as pool:
        ids = [await pool.submit("breaks")]
        await agent.arrived.wait()
        ids += [await pool.submit(f"waits {number}") for number in range(6)]
        await until_here(lambda: agent.running == 1 and pool.load.tasks_waiting == 3)
        gate.opened.set()
        for each in ids:
            result = await pool.wait(each, timeout_secs=GUARD)
            assert (result.success, result.ending) == (False, Ending.failed)
            assert (
                result.reason
                == "every slot that would do is errored and will not be restarted; restart or add one"
            )
        assert [slot.state for slot in await pool.slots(SlotFilter(state=SlotState.errored))] == [
            "errored"
        ]
        agent.act = echo
        await pool.restart_slot("slot-0")
        assert (await asyncio.wait_for(pool.run("after"), GUARD)).success
    assert agent.prompts == ["breaks", "after"]


async def test_only_a_broken_slot_can_be_restarted(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        with pytest.raises(IllegalTransition):
            await pool.restart_slot("slot-0")
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        with pytest.raises(IllegalTransition):
            await pool.restart_slot("slot-0")
        queued = await pool.submit("b")
        gate.opened.set()
        for each in (task_id, queued):
            assert (await pool.wait(each, timeout_secs=GUARD)).success
    assert agent.most_at_once == 1, "the slot was not handed out a second time"


async def test_a_slot_that_comes_back_takes_what_waits(open_pool: OpenPool) -> None:
    agent = Puppet(Crash(1))
    config = PoolConfig(supervisor_interval_secs=0.3, retry_delay_secs=0.01, retries=1)
    async with open_pool(agent, config=config) as pool:
        results = await asyncio.wait_for(asyncio.gather(*(pool.run(each) for each in "abc")), GUARD)
    assert [result.success for result in results] == [True] * 3
    assert len(agent.seen) == 4


@pytest.mark.parametrize("crashes", [0, 1])
async def test_an_end_that_cannot_be_written_leaves_no_slot_busy_for_ever(
    open_pool: OpenPool, crashes: int
) -> None:
    witness, ended = Witness(), asyncio.Event()

    def refuse(_tx: Transaction, _chain: str) -> None:
        if ended.is_set():
            witness.act = lambda _tx, _chain: None
            raise OSError("disk full")

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        witness.act = refuse if task.attempt == 1 else witness.act
        ended.set()
        return await Crash(crashes if task.attempt == 1 else 0)(task, folder, line)

    agent = Puppet(act)
    async with open_pool(agent, observer=witness, config=PoolConfig(**QUICK)) as pool:
        result = await asyncio.wait_for(pool.run("a"), GUARD)
        assert result.success
        assert (await asyncio.wait_for(pool.run("b"), GUARD)).success
        await until_idle(pool, 1)


# ---- what stays of a task


def talking(session_id: str = "abc") -> Puppet:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return said(task.prompt, session_id=session_id)

    return Puppet(act)


async def test_tasks_that_have_nothing_to_do_with_each_other_share_no_conversation(
    open_pool: OpenPool,
) -> None:
    agent = talking()
    async with open_pool(agent) as pool:
        for prompt in ("a secret", "somebody else's question"):
            await pool.run(prompt)
        assert (await the_slot(pool)).session_id == "slot-0/abc"
    homes = {task.conversation.home for task in agent.seen if task.conversation}
    assert [task.conversation and task.conversation.resume for task in agent.seen] == [None, None]
    assert len(homes) == 1


async def test_a_conversation_goes_on_where_somebody_asks_for_it_on_its_very_slot(
    open_pool: OpenPool,
) -> None:
    agent = talking()
    async with open_pool(agent, slots=3) as pool:
        first = await pool.run("one")
        address = first.session_id
        assert address is not None
        slot_id = address.partition("/")[0]
        ids = [await pool.submit(f"more {number}", resume=address) for number in range(4)]
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).session_id == address
            assert (await pool.task(each)).slot_id == slot_id
    assert [task.conversation.resume for task in agent.seen if task.conversation] == [
        None,
        *["abc"] * 4,
    ]
    assert {task.conversation.home.name for task in agent.seen if task.conversation} == {slot_id}


async def test_every_slot_keeps_its_conversations_in_a_folder_of_its_own(
    open_pool: OpenPool,
) -> None:
    together = asyncio.Event()

    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        if agent.running == 2:
            together.set()
        await together.wait()
        return said(session_id="abc")

    agent = Puppet(act)
    async with open_pool(agent, slots=2) as pool:
        results = await asyncio.wait_for(pool.fan_out(["a", "b"]), GUARD)
    homes = {task.conversation.home for task in agent.seen if task.conversation}
    assert homes == {open_pool.state / "slots" / name for name in ("slot-0", "slot-1")}
    assert {result.session_id for result in results} == {"slot-0/abc", "slot-1/abc"}


async def test_a_conversation_outlives_the_pool_that_began_it(open_pool: OpenPool) -> None:
    agent = talking()
    async with open_pool(agent, slots=2) as pool:
        address = (await pool.run("one")).session_id
    async with open_pool(agent, slots=2) as pool:
        assert (await pool.run("two", resume=address)).success
    first, second = (task.conversation for task in agent.seen)
    assert first is not None
    assert second is not None
    assert (second.home, second.resume) == (first.home, "abc")


async def test_a_slot_that_broke_forgets_the_conversation_it_had(open_pool: OpenPool) -> None:
    crash = Crash(0)

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        outcome = await crash(task, folder, line)
        return outcome if outcome.broken else said(session_id="abc")

    async with open_pool(Puppet(act), config=PoolConfig(supervisor_enabled=False, **QUICK)) as pool:
        await pool.run("a")
        assert (await the_slot(pool)).session_id == "slot-0/abc"
        crash.times = 1
        await pool.run("b")
        await until_slot_is(pool, "slot-0", SlotState.errored)
        await pool.restart_slot("slot-0")
        assert (await the_slot(pool)).session_id is None


EPHEMERAL = PoolConfig(slot_mode=SlotMode.ephemeral, **QUICK)


async def test_an_ephemeral_slot_lives_for_one_task_and_leaves_nothing_behind(
    open_pool: OpenPool,
) -> None:
    agent = talking()
    async with open_pool(agent, slots=2, config=EPHEMERAL) as pool:
        for result in await pool.fan_out([str(number) for number in range(8)]):
            assert result.success
        tasks = await pool.tasks()
        assert len({task.slot_id for task in tasks}) == 8
        await until_idle(pool, 2)
        slots = await pool.slots()
        assert len(slots) == 2, "rows do not pile up"
        assert {slot.session_id for slot in slots} == {None}
        assert not {slot.id for slot in slots} & {task.slot_id for task in tasks}
        assert {task.result.session_id for task in tasks if task.result} == {None}, (
            "there is nothing to go on with"
        )
    assert {task.conversation for task in agent.seen} == {None}


async def test_an_ephemeral_slot_keeps_the_settings_of_the_one_before_it(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    slots = [SlotConfig(role="writer", model="w"), SlotConfig(role="reader", model="r")]
    async with open_pool(agent, slots=slots, config=EPHEMERAL) as pool:
        for role in ("writer", "writer", "reader", "writer", "reader"):
            assert (await asyncio.wait_for(pool.run("a", role=role), GUARD)).success
        assert sorted(slot.config.model or "" for slot in await pool.slots()) == ["r", "w"]
    assert [task.model for task in agent.seen] == ["w", "w", "r", "w", "r"]


async def test_an_ephemeral_slot_that_is_taken_out_of_service_leaves_no_ghost(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=2, config=EPHEMERAL) as pool:
        ids = [await pool.submit("a"), await pool.submit("b")]
        await until_here(lambda: agent.running == 2)
        await pool.scale_down(1)
        gate.opened.set()
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
        await until_idle(pool, 1)
        status = await pool.status()
        assert (status.total_slots, status.idle_slots) == (1, 1)


async def test_an_ephemeral_slot_that_broke_comes_back_and_is_replaced_after_its_task(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(Crash(1))
    async with open_pool(agent, config=EPHEMERAL) as pool:
        assert (await asyncio.wait_for(pool.run("a"), GUARD)).success
        assert (await asyncio.wait_for(pool.run("b"), GUARD)).success
        await until_idle(pool, 1)
        assert len(await pool.slots()) == 1
        assert len({task.slot_id for task in await pool.tasks()}) == 2


# ---- looking and configuring


async def test_slots_are_found_by_state_name_and_role_with_what_they_did(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        return await gate(task, folder, line) if task.prompt == "long" else said(session_id="abc")

    agent = Payer(act)
    slots = [
        SlotConfig(role="writer", name="Ada"),
        SlotConfig(role="reader"),
        SlotConfig(role="reader", name="Bob"),
    ]
    async with open_pool(agent, slots=slots) as pool:

        async def found(**wanted: object) -> list[str]:
            return [slot.id for slot in await pool.slots(SlotFilter.model_validate(wanted))]

        for _ in range(2):
            await pool.run("short", role="writer")
        task_id = await pool.submit("long", role="writer")
        await until_here(lambda: agent.running == 1)
        assert await found() == ["slot-0", "slot-1", "slot-2"]
        assert await found(role="reader") == ["slot-1", "slot-2"]
        assert await found(name="Bob") == ["slot-2"]
        assert await found(state="busy") == ["slot-0"]
        assert await found(state="idle", role="reader", name="Bob") == ["slot-2"]
        assert await found(state="errored") == []
        ada = (await pool.slots(SlotFilter(name="Ada")))[0]
        assert (ada.current_task, ada.tasks_completed, ada.cost_microdollars) == (task_id, 2, 200)
        assert (ada.session_id, ada.worktree_path) == ("slot-0/abc", str(Path.cwd()))
        gate.opened.set()
        await pool.wait(task_id, timeout_secs=GUARD)
        await until_idle(pool, 3)
        ada = (await pool.slots(SlotFilter(name="Ada")))[0]
        assert (ada.current_task, ada.tasks_completed, ada.cost_microdollars) == (None, 3, 300)
        assert ada.worktree_path is None


async def test_settings_that_change_while_a_task_runs_are_not_lost_when_it_ends(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await pool.configure_slot("slot-0", SlotConfig(model="new"))
        assert (await the_slot(pool)).current_task == task_id, "nor is what the slot does"
        gate.opened.set()
        await pool.wait(task_id, timeout_secs=GUARD)
        await until_idle(pool, 1)
        slot = await the_slot(pool)
        assert (slot.config.model, slot.tasks_completed, slot.cost_microdollars) == ("new", 1, 100)
        await pool.run("b")
    assert [task.model for task in agent.seen] == ["", "new"]


async def test_a_slot_that_is_given_a_role_takes_what_waits_for_it(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=[SlotConfig(role="a"), SlotConfig(role="b")]) as pool:
        ids = [await pool.submit(f"a{number}", role="a") for number in range(2)]
        await until_here(lambda: agent.running == 1 and pool.load.tasks_waiting == 1)
        await pool.configure_slot("slot-1", SlotConfig(role="a"))
        await until_here(lambda: agent.running == 2)
        gate.opened.set()
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).success


async def test_who_waits_for_a_role_that_nobody_has_any_more_is_told(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=[SlotConfig(role="a"), SlotConfig(role="b")]) as pool:
        await pool.submit("a0", role="a")
        await agent.arrived.wait()
        waits = await pool.submit("a1", role="a")
        await until_here(lambda: pool.load.tasks_waiting == 1)
        await pool.configure_slot("slot-0", SlotConfig(role="c"))
        result = await pool.wait(waits, timeout_secs=GUARD)
        assert result.reason == "no slot has the role 'a'; roles here: b, c"
        gate.opened.set()


async def test_slots_of_a_pool_that_is_gone_are_gone_and_their_names_free(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet(), slots=3) as pool:
        assert [slot.id for slot in await pool.slots()] == ["slot-0", "slot-1", "slot-2"]
    async with open_pool(Puppet(), slots=1) as pool:
        assert [(slot.id, slot.state) for slot in await pool.slots()] == [
            ("slot-0", SlotState.idle)
        ]
        assert (await pool.status()).total_slots == 1

        async def done() -> bool:
            return (await pool.run("a")).success

        await until(done)
