"""One task: it runs once, its result is kept, and whoever waits for it or gives it up leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import UnknownTask
from claude_pool_gh.pool.model.ids import TaskId
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import TaskFilter
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.storage import Database, Transaction
from tests.pool.acts import (
    GUARD,
    Payer,
    Stepped,
    Stubborn,
    Ticker,
    Witness,
    until,
    until_here,
    until_idle,
)
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said

T = TypeVar("T")
SOON = PoolConfig(retries=1, retry_delay_secs=0.01)


async def test_a_result_says_what_the_agent_did_and_the_record_says_where_and_when(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 1234)
        return said("fine", turns=3, elapsed_ms=55, session_id="abc", structured={"ok": True})

    agent = Payer(act)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("look", config=TaskOverrides(model="m"), tags=("b", "a"))
        result = await pool.wait(task_id, timeout_secs=GUARD)
        task = await pool.task(task_id)
        assert await pool.result(task_id) == result == task.result
    assert (result.output, result.success, result.ending, result.reason) == (
        '{"ok": true}',
        True,
        Ending.completed,
        "",
    )
    assert (result.structured, result.turns_used, result.elapsed_ms) == ({"ok": True}, 3, 55)
    assert (result.cost_microdollars, result.upper_bound, result.budget_exceeded) == (
        1234,
        False,
        False,
    )
    assert (result.model, result.session_id) == ("m", "slot-0/abc")
    assert (task.id, str(task.chain_id), task.prompt, task.tags) == (
        task_id,
        task_id,
        "look",
        ("a", "b"),
    )
    assert (task.state, task.slot_id, task.attempts) == (TaskState.completed, "slot-0", 1)
    assert task.started_at_ms is not None
    assert task.completed_at_ms is not None
    assert task.created_at_ms <= task.started_at_ms <= task.completed_at_ms


async def test_a_task_without_success_is_failed_and_says_what_was_run(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 777)
        return failed("exit code 2", command="claude -p", exit_code=2, stderr="boom", text="half")

    agent = Payer(act)
    async with open_pool(agent) as pool:
        result = await pool.run("look")
        (task,) = await pool.tasks()
        status = await pool.status()
    assert (task.state, result.success, result.ending, result.reason) == (
        TaskState.failed,
        False,
        Ending.failed,
        "exit code 2",
    )
    assert (result.failed_command, result.exit_code, result.stderr) == ("claude -p", 2, "boom")
    assert (result.output, result.cost_microdollars) == ("half", 777), (
        "what was said and paid is not lost"
    )
    assert (status.failed_tasks, status.completed_tasks, status.total_spend_microdollars) == (
        1,
        0,
        777,
    )


class HeldUp(Database):
    """A database in which the first chain to be carried begins last."""

    held_up: bool = False

    async def transact(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:
        if "TaskRunner.write" in getattr(work, "__qualname__", "") and not self.held_up:
            self.held_up = True
            await asyncio.sleep(0.2)
        return await super().transact(work, forever=forever)


async def test_tasks_start_in_the_order_in_which_they_were_submitted(tmp_path: Path) -> None:
    agent, database = Puppet(), HeldUp.open(f"sqlite:///{tmp_path}/pool.sqlite")
    async with Pool.open(agent, state=tmp_path, store=database) as pool:
        made = [await pool.submit(name) for name in ("first", "second")]  # while the slot is idle
        for task_id in made:
            await pool.wait(task_id, timeout_secs=GUARD)
    assert database.held_up
    assert agent.prompts == ["first", "second"]
    database.close()


async def test_a_result_is_none_until_there_is_one(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        running = await pool.submit("a")
        await agent.arrived.wait()
        queued = await pool.submit("b")
        assert await pool.result(running) is None
        assert await pool.result(queued) is None
        assert ((await pool.task(running)).state, (await pool.task(queued)).state) == (
            "running",
            "pending",
        )
        gate.opened.set()
        assert (await pool.wait(queued, timeout_secs=GUARD)).output == "<b>"


async def test_a_prompt_reaches_the_agent_to_the_letter(open_pool: OpenPool) -> None:
    prompts = [
        "--version",
        "{args.prompt} {steps.x.output} {{}} {",
        "two\nlines\r\n",
        "'quoted' \"twice\" $1 $(id) `id`",
        "ünï\u2028cødé 🦀",
        "x" * 300_000,
    ]
    agent = Puppet()
    async with open_pool(agent) as pool:
        assert [result.output for result in await pool.fan_out(prompts)] == [
            f"<{each}>" for each in prompts
        ]
        assert [task.prompt for task in await pool.tasks()] == prompts


async def test_every_task_runs_exactly_once_and_never_more_than_there_are_slots(
    open_pool: OpenPool,
) -> None:
    together = asyncio.Event()

    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        if agent.running == 3:
            together.set()
        await together.wait()  # never comes, if three slots do not work beside each other
        return said(task.prompt)

    agent = Puppet(act)
    prompts = [str(number) for number in range(30)]
    async with open_pool(agent, slots=3) as pool:
        ids = await asyncio.gather(*(pool.submit(prompt) for prompt in prompts))
        results = await asyncio.gather(*(pool.wait(each, timeout_secs=GUARD) for each in ids))
        assert {task.attempts for task in await pool.tasks()} == {1}
    assert [result.output for result in results] == prompts
    assert (sorted(agent.prompts), agent.most_at_once) == (sorted(prompts), 3)


async def test_first_come_first_served_even_within_one_millisecond(open_pool: OpenPool) -> None:
    steps = Stepped()
    agent = Puppet(steps)
    names = [str(number) for number in range(12)]
    async with open_pool(agent, clock=Ticker()) as pool:
        await pool.submit("blocker")
        await agent.arrived.wait()
        for name in names[:8]:
            await pool.submit(name)
        several = asyncio.create_task(pool.fan_out(names[8:]))
        await until(lambda: made(pool, 13))
        for count in range(1, 13):
            waiting = min(3, 13 - count)
            await until_here(partial(in_step, agent, pool, count, waiting))
            steps.step()
        steps.step()
        assert [result.success for result in await asyncio.wait_for(several, GUARD)] == [True] * 4
        assert [task.prompt for task in await pool.tasks()] == ["blocker", *names]
    assert agent.prompts == ["blocker", *names]


async def made(pool: Pool, count: int) -> bool:
    return len(await pool.tasks()) == count


def in_step(agent: Puppet, pool: Pool, begun: int, waiting: int) -> bool:
    return len(agent.seen) == begun and pool.load.tasks_waiting >= waiting


async def test_first_come_first_served_within_a_priority_and_lower_numbers_first(
    open_pool: OpenPool,
) -> None:
    steps = Stepped()
    agent = Puppet(steps)
    async with open_pool(agent, slots=3) as pool:
        for _ in range(3):
            await pool.submit("blocker")
        await until_here(lambda: agent.running == 3)
        asked = [("a", 1), ("b", 0), ("c", 1), ("d", -1), ("e", 0)]
        ids = [await pool.submit(prompt, priority=priority) for prompt, priority in asked]
        for begun in range(3, 8):
            await until_here(lambda begun=begun: in_step(agent, pool, begun, 8 - begun))  # type: ignore[misc]
            steps.step()
        steps.step(3)
        for each in ids:
            await pool.wait(each, timeout_secs=GUARD)
    assert agent.prompts == [*["blocker"] * 3, *"dbeac"]


async def test_a_task_that_is_tried_again_keeps_its_place(open_pool: OpenPool) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.prompt == "a":
            await until_here(lambda: pool.load.tasks_waiting == 2)
            return failed("overloaded", retryable=True)
        return await gate(task, folder, line)

    agent = Puppet(act)
    async with open_pool(agent, config=SOON) as pool:
        await pool.submit("a")
        await agent.arrived.wait()
        await pool.submit("b")
        last = await pool.submit("c")
        await until_here(
            lambda: agent.running == 1 and len(agent.seen) == 2 and pool.load.tasks_waiting == 2
        )
        gate.opened.set()
        await pool.wait(last, timeout_secs=GUARD)
    assert [prompt[0] for prompt in agent.prompts] == ["a", "b", "a", "c"]


async def test_an_urgent_task_overtakes_all_that_wait_however_many_they_are(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        ids = [await pool.submit("blocker")]
        await agent.arrived.wait()
        ids += [await pool.submit(f"later {number}", priority=5) for number in range(8)]
        await until_here(lambda: pool.load.tasks_waiting == 3)
        ids.append(await pool.submit("urgent", priority=0))
        await until_here(lambda: pool.load.tasks_waiting == 4)
        gate.opened.set()
        for each in ids:
            await pool.wait(each, timeout_secs=GUARD)
    assert agent.prompts[:2] == ["blocker", "urgent"]


async def test_a_task_with_a_role_runs_only_on_a_slot_that_has_it(open_pool: OpenPool) -> None:
    agent = Puppet()
    slots = [SlotConfig(role="writer", model="w"), SlotConfig(role="reviewer", model="r")]
    async with open_pool(agent, slots=slots) as pool:
        ids = [await pool.submit("a", role="reviewer") for _ in range(6)]
        for each in ids:
            await pool.wait(each, timeout_secs=GUARD)
        assert {(await pool.task(each)).slot_id for each in ids} == {"slot-1"}
        unknown = await pool.run("b", role="cook")
    assert {task.model for task in agent.seen} == {"r"}
    assert unknown.reason == "no slot has the role 'cook'; roles here: reviewer, writer"
    assert (unknown.success, unknown.ending, unknown.cost_microdollars) == (False, Ending.failed, 0)


async def test_tasks_that_wait_for_one_role_keep_no_other_slot_from_its_work(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return await gate(task, folder, line) if task.prompt == "slow" else said(task.prompt)

    agent = Puppet(act)
    async with open_pool(agent, slots=[SlotConfig(role="slow"), SlotConfig(role="quick")]) as pool:
        for _ in range(10):
            await pool.submit("slow", role="slow")
        await agent.arrived.wait()
        assert (await asyncio.wait_for(pool.run("quick", role="quick"), GUARD)).output == "quick"
        gate.opened.set()


async def test_a_failure_that_may_pass_is_tried_again_and_told_to_the_next_attempt(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100 * task.attempt)
        first = task.attempt == 1
        return failed("overloaded", retryable=True, text="half") if first else said("done")

    agent = Payer(act)
    async with open_pool(agent, config=SOON) as pool:
        result = await pool.run("look")
        (task,) = await pool.tasks()
    assert agent.prompts[0] == "look"
    assert agent.prompts[1].startswith(
        "look\n\nAn earlier attempt at this ended without a result: overloaded"
    )
    assert (result.output, result.cost_microdollars, task.attempts) == ("done", 300, 2), (
        "each attempt is paid for"
    )


@pytest.mark.parametrize(("retryable", "attempts"), [(False, 1), (True, 2)])
async def test_no_failure_is_tried_for_ever_and_one_that_stays_not_even_twice(
    open_pool: OpenPool, retryable: bool, attempts: int
) -> None:
    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return failed("no", retryable=retryable)

    agent = Puppet(act)
    async with open_pool(agent, config=SOON) as pool:
        result = await pool.run("look")
        (task,) = await pool.tasks()
    assert (result.success, result.reason, task.state) == (False, "no", TaskState.failed)
    assert (len(agent.seen), task.attempts) == (attempts, attempts)


@pytest.mark.parametrize(
    "ending",
    [Ending.out_of_budget, Ending.out_of_turns, Ending.quota, Ending.timed_out, Ending.failed],
)
async def test_every_kind_of_end_is_kept_as_it_was(tmp_path: Path, ending: Ending) -> None:
    async def act(_task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        return AgentOutcome(ending=ending, reason="so it is", text="half")

    async with Pool.open(Puppet(act), state=tmp_path) as pool:
        result = await pool.run("look")
    assert (result.ending, result.success, result.output) == (ending, False, "half")
    # Where money ended it, the settings that decide about that are named too.
    named = (
        "; its caps are set by TaskOverrides.max_budget_usd"
        if ending is Ending.out_of_budget
        else ""
    )
    assert result.reason.startswith(f"so it is{named}")
    assert bool(named) or result.reason == "so it is"
    assert result.budget_exceeded is (ending is Ending.out_of_budget)


async def test_an_attempt_that_runs_past_its_time_is_ended_even_if_the_agent_does_not_look(
    open_pool: OpenPool,
) -> None:
    stubborn = Stubborn(deaf=False)
    async with open_pool(Puppet(stubborn)) as pool:
        result = await pool.run("look", config=TaskOverrides(timeout_secs=0.05))
        await until_idle(pool, 1)
    assert (result.ending, result.success, result.output) == (
        Ending.timed_out,
        False,
        "as far as I came",
    )
    assert (result.reason, stubborn.cancelled) == ("it ran longer than 0.05 seconds", 1)


# ---- waiting for a slot


async def test_a_task_that_waited_too_long_for_a_slot_fails_and_never_runs(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    config = PoolConfig(slot_assignment_timeout_secs=0.4)
    async with open_pool(agent, config=config) as pool:
        first = await pool.submit("first")
        await agent.arrived.wait()
        late = [
            await pool.submit(f"late {number}") for number in range(7)
        ]  # more than the pool takes up at once
        for each in late:
            result = await pool.wait(each, timeout_secs=GUARD)
            assert (result.success, result.ending) == (False, Ending.failed)
            assert result.reason == "no slot came free within 0.4 seconds"
            assert (await pool.task(each)).state is TaskState.failed
        assert (await pool.status()).failed_tasks == 7
        assert await pool.result(first) is None, "who has a slot keeps it"
        gate.opened.set()
        assert (await pool.wait(first, timeout_secs=GUARD)).success
        await until_idle(pool, 1)
    assert agent.prompts == ["first"]


async def test_each_waiter_has_a_deadline_of_its_own(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    slots = [SlotConfig(slot_assignment_timeout_secs=0.3), SlotConfig()]
    async with open_pool(agent, slots=slots) as pool:
        for _ in slots:
            await pool.submit("first")
        await until_here(lambda: agent.running == 2)
        patient = [await pool.submit("patient"), await pool.submit("patient", resume="slot-1/abc")]
        hasty = [await pool.submit("hasty", resume="slot-0/abc") for _ in range(2)]
        for each in hasty:
            reason = (await pool.wait(each, timeout_secs=GUARD)).reason
            assert reason == "no slot came free within 0.3 seconds"
        assert [await pool.result(each) for each in patient] == [None, None]
        gate.opened.set()
        for each in patient:
            assert (await pool.wait(each, timeout_secs=GUARD)).success
    assert "hasty" not in agent.prompts


async def test_the_time_that_a_task_ran_is_not_taken_from_its_time_to_wait_for_a_slot_again(
    open_pool: OpenPool,
) -> None:
    gate, clock = Gate(), Ticker()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        if task.prompt == "other":
            return await gate(task, folder, line)
        if task.attempt == 2:
            return said("at last")
        clock.now += 3_600_000  # it took an hour, and was no use
        await pool.submit("other")
        await until_here(lambda: pool.load.tasks_waiting == 1)  # it is the next one
        return failed("overloaded", retryable=True)

    agent = Puppet(act)
    config = PoolConfig(slot_assignment_timeout_secs=600, retries=1, retry_delay_secs=0.01)
    async with open_pool(agent, config=config, clock=clock) as pool:
        mine = await pool.submit("mine")
        await until_here(
            lambda: agent.prompts == ["mine", "other"] and pool.load.tasks_waiting == 1
        )
        gate.opened.set()
        assert (await pool.wait(mine, timeout_secs=GUARD)).output == "at last"


# ---- callers that go away


async def test_a_caller_that_is_cancelled_ends_its_task_and_gives_the_slot_back(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(Gate())
    async with open_pool(agent) as pool:
        running = asyncio.create_task(pool.run("running"))
        await agent.arrived.wait()
        queued = asyncio.create_task(pool.run("queued"))
        await until_here(lambda: pool.load.tasks_waiting == 1)
        for caller in (queued, running):
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
        for task in await pool.tasks():
            assert (await pool.wait(task.id, timeout_secs=GUARD)).ending is Ending.cancelled
        await until_idle(pool, 1)
        agent.act = Gate(opened_event())
        assert (await asyncio.wait_for(pool.run("next"), GUARD)).output == "<next>"
    assert agent.prompts == ["running", "next"]


def opened_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def test_a_caller_that_is_cancelled_while_it_submits_leaves_no_task_to_be_paid_for(
    open_pool: OpenPool,
) -> None:
    submitting, go_on = threading.Event(), threading.Event()

    class Slow(Witness):
        def changed(self, _tx: Transaction, _chain_id: str) -> None:
            submitting.set()
            go_on.wait(GUARD)

    agent = Puppet(Gate())
    async with open_pool(agent, slots=2, observer=Slow()) as pool:
        for call in (lambda: pool.run("a"), lambda: pool.fan_out(["b", "c"])):
            submitting.clear()
            go_on.clear()
            caller = asyncio.create_task(call())
            await until_here(submitting.is_set)
            caller.cancel()
            await asyncio.sleep(0)
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await caller
        tasks = await pool.tasks()
        assert [task.prompt for task in tasks] == ["a", "b", "c"]
        for task in tasks:
            assert (await pool.wait(task.id, timeout_secs=GUARD)).ending is Ending.cancelled
        await until_idle(pool, 2)


async def test_a_caller_that_waits_no_longer_harms_neither_task_nor_slot(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent) as pool:
        task_id = await pool.submit("a")
        await agent.arrived.wait()
        with pytest.raises(TimeoutError):
            await pool.wait(task_id, timeout_secs=0.01)
        assert (await pool.task(task_id)).state is TaskState.running
        waits = [asyncio.create_task(pool.wait(task_id)) for _ in range(3)]
        waits[0].cancel()
        gate.opened.set()
        results = await asyncio.wait_for(asyncio.gather(*waits[1:]), GUARD)
        assert [result.output for result in results] == ["<a>", "<a>"]
        await until_idle(pool, 1)


# ---- several at once


async def test_fan_out_keeps_the_order_of_the_prompts_and_one_failure_loses_nothing(
    open_pool: OpenPool,
) -> None:
    ended = {name: asyncio.Event() for name in "abcd"}

    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        after = {"a": "b", "b": "c", "c": "d"}.get(task.prompt)
        if after is not None:
            await ended[after].wait()
        await agent.pay(task, 10)
        ended[task.prompt].set()
        if task.prompt == "b":
            return failed("b is wrong")
        return said(task.prompt.upper())

    agent = Payer(act)
    async with open_pool(agent, slots=4) as pool:
        results = await asyncio.wait_for(pool.fan_out(list("abcd"), tags=("x",)), GUARD)
        assert await pool.fan_out([]) == []
        tagged = await pool.tasks(TaskFilter(tags=("x",)))
    assert [result.output for result in results] == ["A", "b is wrong", "C", "D"]
    assert [result.success for result in results] == [True, False, True, True]
    assert [result.cost_microdollars for result in results] == [10] * 4
    assert [task.prompt for task in tagged] == list("abcd")


async def test_a_fan_out_whose_caller_goes_away_ends_all_its_tasks(open_pool: OpenPool) -> None:
    agent = Puppet(Gate())
    async with open_pool(agent, slots=2) as pool:
        caller = asyncio.create_task(pool.fan_out([str(number) for number in range(9)]))
        await until_here(lambda: agent.running == 2)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        every = await pool.tasks()
        assert len(every) == 9
        for task in every:
            assert (await pool.wait(task.id, timeout_secs=GUARD)).ending is Ending.cancelled
        await until_idle(pool, 2)
    assert len(agent.seen) == 2


async def test_tasks_are_found_by_state_slot_and_any_of_several_tags(open_pool: OpenPool) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return await gate(task, folder, line) if task.prompt == "runs" else await done(task)

    async def done(task: AgentTask) -> AgentOutcome:
        return failed("no") if task.prompt == "fails" else said("yes")

    agent = Puppet(act)
    async with open_pool(agent, slots=[SlotConfig(role="a"), SlotConfig(role="b")]) as pool:

        async def found(**wanted: object) -> list[str]:
            return [task.prompt for task in await pool.tasks(TaskFilter.model_validate(wanted))]

        await pool.run("works", tags=("red", "big"), role="b")
        await pool.run("fails", tags=("blue",), role="a")
        await pool.submit("runs", tags=("red",), role="a")
        await until_here(lambda: agent.running == 1)
        ids = [
            await pool.submit(f"waits {number}", role="a", tags=("green",)) for number in range(8)
        ]
        await pool.cancel(ids[-1])
        waiting = [f"waits {number}" for number in range(7)]

        assert await found() == ["works", "fails", "runs", *waiting, "waits 7"]
        assert await found(state="completed") == ["works"]
        assert await found(state="failed") == ["fails"]
        assert await found(state="running") == ["runs"]
        assert await found(state="pending") == waiting
        assert await found(state="cancelled") == ["waits 7"]
        assert await found(slot_id="slot-1") == ["works"]
        assert await found(slot_id="slot-0") == ["fails", "runs"]
        assert await found(tags=("big",)) == ["works"]
        assert await found(tags=("red", "blue")) == ["works", "fails", "runs"]
        assert await found(tags=("red",), state="running", slot_id="slot-0") == ["runs"]
        assert await found(tags=("green",), state="cancelled") == ["waits 7"]
        assert await found(tags=("none",)) == []
        gate.opened.set()


async def test_what_is_not_there_is_an_error_of_its_own_kind(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        for ask in (pool.task, pool.result, pool.wait, pool.cancel):
            with pytest.raises(UnknownTask, match="task-none"):
                await ask(TaskId("task-none"))
