"""Cancel ends what it is told to end, at once, and loses neither what was said nor what was paid."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from claude_pool_gh.pool import submission
from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.states import SlotState, TaskState
from tests.pool.acts import (
    GUARD,
    Payer,
    Stubborn,
    until_here,
    until_idle,
    until_it_speaks,
    until_slot_is,
)
from tests.pool.kit import until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed, said


async def test_a_cancelled_task_that_was_queued_never_runs_and_says_so(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        first = await pool.submit("first")
        await agent.arrived.wait()
        queued = [await pool.submit(f"queued {number}") for number in range(6)]
        # the others are not even taken up yet
        await until_here(lambda: pool.load.tasks_waiting == 3)
        for each in queued:
            assert await pool.cancel(each) is True
        for each in queued:
            result = await pool.wait(each, timeout_secs=GUARD)
            assert (result.ending, result.success, result.cost_microdollars) == (
                Ending.cancelled,
                False,
                0,
            )
            assert await pool.result(each) == result, "whoever asks learns it, not only who waited"
            assert (await pool.task(each)).state is TaskState.cancelled
        assert (await pool.status()).cancelled_tasks == 6
        gate.opened.set()
        assert (await pool.wait(first, timeout_secs=GUARD)).success
        await pool.run("last")
    assert agent.prompts == ["first", "last"]


async def test_a_cancelled_run_ends_as_cancelled_and_keeps_what_it_said_and_cost(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 4321)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await until_it_speaks(pool, task_id)
        assert await pool.cancel(task_id) is True
        result = await pool.wait(task_id, timeout_secs=GUARD)
        task = await pool.task(task_id)
        assert (result.ending, result.success, result.output) == (
            Ending.cancelled,
            False,
            "working on a",
        )
        assert (result.cost_microdollars, task.state) == (4321, TaskState.cancelled)
        assert task.completed_at_ms is not None
        await until_idle(pool, 1)
        status = await pool.status()
        assert (status.cancelled_tasks, status.running_tasks, status.total_spend_microdollars) == (
            1,
            0,
            4321,
        )
        assert status.reserved_microdollars == 0, "what it did not use is there for others"
        gate.opened.set()
        assert (await pool.run("b")).success


async def test_a_task_that_ends_although_it_was_told_to_stop_stays_cancelled_or_done_but_not_both(
    open_pool: OpenPool,
) -> None:
    async def act(_task: AgentTask, _folder: Path, line: AgentChannel) -> AgentOutcome:
        await line.stop.wait()
        return said("done all the same")

    agent = Puppet(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await pool.cancel(task_id)
        result = await pool.wait(task_id, timeout_secs=GUARD)
        task = await pool.task(task_id)
        assert result.output == "done all the same"
        assert (result.success, task.state) in (
            (True, TaskState.completed),
            (False, TaskState.cancelled),
        )
        assert await pool.cancel(task_id) is False
        assert (await pool.task(task_id)) == task
        await until_idle(pool, 1)


async def test_a_cancel_of_what_has_ended_changes_nothing(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return failed("no") if task.prompt == "fails" else await echo(task, folder, line)

    async with open_pool(Puppet(act)) as pool:
        for prompt in ("works", "fails"):
            await pool.run(prompt)
        before = await pool.tasks()
        assert [await pool.cancel(task.id) for task in before] == [False, False]
        assert await pool.tasks() == before
        assert [task.state for task in before] == ["completed", "failed"]


async def test_two_cancels_are_one(open_pool: OpenPool) -> None:
    agent = Puppet(Gate())
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await asyncio.gather(*(pool.cancel(task_id) for _ in range(5)))
        assert (await pool.wait(task_id, timeout_secs=GUARD)).ending is Ending.cancelled
        await until_idle(pool, 1)
        assert (await pool.status()).cancelled_tasks == 1


async def test_a_cancel_ends_the_pause_before_a_retry_and_there_is_none(
    open_pool: OpenPool,
) -> None:
    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return failed("overloaded", retryable=True, text="half")

    agent = Puppet(act)
    async with open_pool(agent, config=PoolConfig(retries=1, retry_delay_secs=GUARD)) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await until_idle(pool, 1)
        await pool.cancel(task_id)
        result = await pool.wait(task_id, timeout_secs=GUARD / 2)
    assert (result.ending, result.output) == (Ending.cancelled, "half")
    assert len(agent.seen) == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pool grants an agent that does not heed it."""
    monkeypatch.setattr("claude_pool_gh.pool.run.agent_run._STOP_SECONDS", 0.05)
    monkeypatch.setattr("claude_pool_gh.pool.run.agent_run._CANCEL_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_an_agent_that_does_not_heed_a_stop_is_ended_by_force(open_pool: OpenPool) -> None:
    stubborn = Stubborn(deaf=False)
    agent = Puppet(stubborn)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await pool.cancel(task_id)
        result = await pool.wait(task_id, timeout_secs=GUARD)
        assert (result.ending, result.output) == (Ending.cancelled, "as far as I came")
        assert (stubborn.cancelled, agent.running) == (1, 0)
        await until_idle(pool, 1)
        agent.act = echo
        assert (await pool.run("b")).success


@pytest.mark.usefixtures("impatient")
async def test_an_agent_that_cannot_be_ended_at_all_costs_its_slot_and_not_the_pool(
    open_pool: OpenPool,
) -> None:
    stubborn = Stubborn(deaf=True)
    agent = Puppet(stubborn)
    async with open_pool(agent, slots=2, config=PoolConfig(supervisor_enabled=False)) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await pool.cancel(task_id)
        result = await pool.wait(task_id, timeout_secs=GUARD)
        assert (result.ending, result.output) == (Ending.cancelled, "as far as I came")
        slot_id = (await pool.task(task_id)).slot_id
        assert slot_id is not None
        await until_slot_is(pool, slot_id, SlotState.errored)
        agent.act = echo
        others = await asyncio.wait_for(pool.fan_out(["b", "c"]), GUARD)
        assert [each.success for each in others] == [True, True]
        slots = {task.slot_id for task in await pool.tasks() if task.id != task_id}
        assert slot_id not in slots, "nothing runs beside what is still at work there"
        assert stubborn.cancelled == 1
        stubborn.let_go.set()


async def test_an_agent_that_cancels_itself_has_failed_and_was_not_cancelled(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.attempt == 1:
            raise asyncio.CancelledError
        return await echo(task, folder, line)

    agent = Puppet(act)
    config = PoolConfig(retries=1, retry_delay_secs=0.01, supervisor_interval_secs=0.02)
    async with open_pool(agent, config=config) as pool:
        assert (await asyncio.wait_for(pool.run("a"), GUARD)).success
    assert len(agent.seen) == 2


async def test_a_cancel_that_the_process_did_not_live_to_see_is_done_by_the_next(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 99)
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    arrived = asyncio.Event()
    agent = Payer(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await arrived.wait()
        await pool.cancel(task_id)
    async with open_pool(agent) as pool:
        result = await pool.wait(task_id, timeout_secs=GUARD)
        assert (result.ending, result.success, result.cost_microdollars) == (
            Ending.cancelled,
            False,
            99,
        )
        assert (await pool.task(task_id)).state is TaskState.cancelled
    assert len(agent.seen) == 1


async def test_what_a_caller_has_left_begins_on_no_freed_slot_while_its_cancel_is_being_written(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere in the database a chain may be taken up meanwhile: here the cancel waits until all have been."""
    agent, write, cancel_all = Puppet(Gate()), asyncio.Event(), submission._cancel_all

    async def late(core: Core, ids: Sequence[str]) -> None:
        await write.wait()
        await cancel_all(core, ids)

    monkeypatch.setattr(submission, "_cancel_all", late)
    async with open_pool(agent, slots=2) as pool:
        caller = asyncio.create_task(pool.fan_out([*"abcdefghijkl"]))
        await until(lambda: agent.running == 2)
        caller.cancel()

        async def over() -> bool:
            ended = {task.state for task in await pool.tasks()} == {TaskState.cancelled}
            return ended or len(agent.seen) > 2

        await until(over)
        write.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(caller, GUARD)
        assert len(agent.seen) == 2
        assert not pool._core.live.unwanted, "once it is written, nothing is remembered"
