"""The end of a pool: it always comes, it loses nothing, and what had not begun goes on in the next one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import PoolShutdown
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import SlotFilter
from claude_pool_gh.pool.model.states import SlotState, TaskState
from claude_pool_gh.pool.recipes.workflows import ChainStep
from tests.pool.acts import GUARD, Payer, Stubborn, until, until_here, until_idle, until_it_speaks
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, failed, said


async def test_a_drain_lets_running_tasks_end_and_takes_no_others(open_pool: OpenPool) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent, slots=2) as pool:
        ids = [await pool.submit(str(number)) for number in range(12)]
        await until_here(lambda: agent.running == 2 and pool.load.tasks_waiting == 4)
        draining = asyncio.create_task(pool.drain(deadline_secs=GUARD))
        await until_here(lambda: pool._core.closing)
        for refused in (
            pool.submit("late"),
            pool.run("late"),
            pool.fan_out(["late"]),
            pool.submit_chain([ChainStep(name="a", prompt="late")]),
        ):
            with pytest.raises(PoolShutdown, match="takes no more work"):
                await refused
        assert not draining.done()
        gate.opened.set()
        summary = await asyncio.wait_for(draining, GUARD)
        assert (summary.total_cost_microdollars, summary.total_tasks_completed) == (200, 2)
        assert (summary.cancelled, summary.left_queued) == ((), 10)
        ran = {task.id for task in await pool.tasks() if task.prompt in agent.prompts}
        left = [each for each in ids if each not in ran]
        assert [(await pool.task(each)).state for each in ran] == [TaskState.completed] * 2
        assert [await pool.result(each) for each in left] == [None] * 10
        assert await pool.slots() == [], "none is in service"
        gone = await pool.slots(SlotFilter(state=SlotState.stopped))
        assert [slot.state for slot in gone] == [SlotState.stopped] * 2
        status = await pool.status()
        assert (
            status.shutdown,
            status.total_slots,
            status.pending_tasks,
            status.running_tasks,
        ) == (
            True,
            0,
            10,
            0,
        )
        with pytest.raises(PoolShutdown):
            await pool.wait(left[-1])
    assert len(agent.prompts) == 2

    async with open_pool(agent, slots=2) as pool:
        for each in left:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
        again = await pool.drain()
    assert sorted(agent.prompts, key=int) == [str(number) for number in range(12)], (
        "each exactly once"
    )
    assert (again.total_tasks_completed, again.total_cost_microdollars, again.left_queued) == (
        10,
        1000,
        0,
    )


async def test_what_still_runs_at_the_deadline_is_ended_and_keeps_what_it_said_and_cost(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent) as pool:
        running = await pool.submit("a")
        await agent.arrived.wait()
        queued = [await pool.submit(f"queued {number}") for number in range(6)]
        await until_here(lambda: agent.running == 1 and pool.load.tasks_waiting == 3)
        summary = await asyncio.wait_for(pool.drain(deadline_secs=0), GUARD)
        result = await pool.result(running)
        assert result is not None
        assert (result.ending, result.output, result.cost_microdollars) == (
            Ending.cancelled,
            "working on a",
            100,
        )
        assert (summary.cancelled, summary.left_queued, summary.total_cost_microdollars) == (
            (running,),
            6,
            100,
        )
        assert summary.total_tasks_completed == 0
        assert [(await pool.task(each)).state for each in queued] == [TaskState.pending] * 6
    agent.act = echo
    async with open_pool(agent) as pool:
        for each in queued:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
    assert sorted(agent.prompts) == ["a", *(f"queued {number}" for number in range(6))], (
        "each exactly once"
    )


async def test_a_drain_comes_to_its_end_even_if_an_agent_does_not(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool_gh.pool.run.agent_run._STOP_SECONDS", 0.05)
    monkeypatch.setattr("claude_pool_gh.pool.run.agent_run._CANCEL_SECONDS", 0.05)
    stubborn = Stubborn(deaf=True)
    agent = Puppet(stubborn)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        summary = await asyncio.wait_for(pool.drain(deadline_secs=0.01), GUARD)
        assert (summary.cancelled, summary.left_queued) == ((task_id,), 0)
        result = await pool.result(task_id)
        assert result is not None
        assert (result.ending, result.output) == (Ending.cancelled, "as far as I came")
        stubborn.let_go.set()


async def test_a_drain_after_failures_and_cancels_does_not_wait_for_what_has_ended(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        match task.prompt.partition("\n")[0]:
            case "fails":
                return failed("no")
            case "breaks":
                return failed(broken=True, retryable=True)
            case "waits":
                return await gate(task, folder, line)
            case _:
                return said()

    agent, config = (
        Puppet(act),
        PoolConfig(retries=1, retry_delay_secs=0.01, supervisor_interval_secs=0.02),
    )
    async with open_pool(agent, slots=2, config=config) as pool:
        assert not (await pool.run("fails")).success
        assert not (await pool.run("breaks")).success
        chain_id = await pool.submit_chain(
            [ChainStep(name="a", prompt="fails"), ChainStep(name="b", prompt="never")]
        )
        await pool.wait_chain(chain_id, timeout_secs=GUARD)
    async with open_pool(agent, slots=2) as pool:
        agent.arrived.clear()
        task_id = await pool.submit("waits")
        await agent.arrived.wait()
        await pool.cancel(task_id)
        summary = await asyncio.wait_for(pool.drain(deadline_secs=GUARD), GUARD / 2)
    assert (summary.cancelled, summary.left_queued) == ((), 0)


async def test_a_second_drain_is_as_good_as_one(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        await pool.run("a")
        one, two = await asyncio.gather(pool.drain(), pool.drain())
        assert one == two == await pool.drain()


async def test_a_task_between_two_attempts_is_left_for_the_next_pool(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 10)
        return failed("overloaded", retryable=True) if task.attempt == 1 else said("done")

    agent = Payer(act)
    async with open_pool(agent, config=PoolConfig(retries=1, retry_delay_secs=GUARD)) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        await until_idle(pool, 1)
        summary = await asyncio.wait_for(pool.drain(deadline_secs=GUARD), GUARD / 2)
        assert (summary.cancelled, summary.left_queued) == ((), 1)
    async with open_pool(agent) as pool:
        result = await pool.wait(task_id, timeout_secs=GUARD)
    assert (result.output, result.cost_microdollars) == ("done", 20)


async def test_what_waits_only_for_money_is_left_for_the_next_pool(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    # Enough for the least with which one may begin, not for two.
    config = PoolConfig(budget_microdollars=30_000, task_budget_usd=1.0)
    async with open_pool(agent, slots=2, config=config) as pool:
        first = await pool.submit("a")
        await agent.arrived.wait()
        second = await pool.submit("b")
        await until_here(lambda: agent.running == 1 and pool.load.chains_running == 2)
        summary = await asyncio.wait_for(pool.drain(deadline_secs=0.01), GUARD)
        assert (summary.cancelled, summary.left_queued) == ((first,), 1)
    agent.act = echo
    async with open_pool(agent, slots=2, config=config) as pool:
        assert (await pool.wait(second, timeout_secs=GUARD)).output == "<b>"


async def test_a_caller_that_waits_for_what_the_pool_leaves_behind_is_told_so(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        await pool.submit("a")
        await agent.arrived.wait()
        caller = asyncio.create_task(pool.run("b"))
        await until_here(lambda: pool.load.tasks_waiting == 1)
        await asyncio.wait_for(pool.drain(deadline_secs=0.01), GUARD)
        with pytest.raises(PoolShutdown, match="its store has it"):
            await caller
        (left,) = [task for task in await pool.tasks() if task.prompt == "b"]
        assert left.state is TaskState.pending


async def test_a_pool_that_is_left_without_a_drain_goes_on_where_it_was(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        return await gate(task, folder, line)

    agent = Payer(act)
    async with open_pool(agent) as pool:
        ids = [await pool.submit("0", config=TaskOverrides(model="m"))]
        await until_it_speaks(pool, ids[0])
        ids += [
            await pool.submit(str(number), config=TaskOverrides(model="m"))
            for number in range(1, 5)
        ]
        await until_here(lambda: pool.load.tasks_waiting == 3)
    gate.opened.set()
    async with open_pool(agent) as pool:
        results = [await pool.wait(each, timeout_secs=GUARD) for each in ids]
        assert [result.output for result in results] == [f"<{number}>" for number in range(5)]
        assert [task.attempts for task in await pool.tasks()] == [2, 1, 1, 1, 1]
        assert [result.cost_microdollars for result in results] == [200, 100, 100, 100, 100]
        assert (await pool.status()).total_spend_microdollars == 600, (
            "nothing that was paid is forgotten"
        )
    assert {task.model for task in agent.seen} == {"m"}


async def test_a_pool_can_be_opened_after_one_that_could_not(open_pool: OpenPool) -> None:
    class Unfit(Puppet):
        def at_work(self, *_more: object) -> object:
            raise RuntimeError("no key")

    with pytest.raises(RuntimeError, match="no key"):
        async with open_pool(Unfit()):
            raise AssertionError
    async with open_pool(Puppet()) as pool:
        assert (await asyncio.wait_for(pool.run("a"), GUARD)).success

        async def alone() -> bool:
            return [slot.id for slot in await pool.slots()] == ["slot-0"]

        await until(alone)
