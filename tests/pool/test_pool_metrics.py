"""The figures: each against the same figure worked out here by hand."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.states import ChainState, TaskState
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.metrics import MeasuredTask, MetricsFilter, ModelMetrics, measure
from claude_pool_gh.storage import Transaction
from tests.pool.acts import GUARD, Payer, Ticker, Witness, until_here
from tests.pool.puppet import Gate, OpenPool, Puppet, failed, said


def task(
    state: TaskState = TaskState.completed,
    *,
    model: str = "m",
    cost: int = 0,
    elapsed_ms: int = 0,
    turns: int = 0,
) -> MeasuredTask:
    return MeasuredTask(state=state, model=model, cost=cost, elapsed_ms=elapsed_ms, turns=turns)


def test_no_tasks_make_no_figures_and_no_error() -> None:
    found = measure([], started_ms=100, now_ms=350)
    assert found.model_dump(exclude={"session_start_ms", "session_duration_ms"}) == {
        "total_tasks": 0,
        "completed_tasks": 0,
        "failed_tasks": 0,
        "cancelled_tasks": 0,
        "running_tasks": 0,
        "pending_tasks": 0,
        "total_spend_microdollars": 0,
        "avg_cost_microdollars": 0,
        "max_cost_microdollars": 0,
        "avg_elapsed_ms": 0,
        "median_elapsed_ms": 0,
        "max_elapsed_ms": 0,
        "min_elapsed_ms": 0,
        "avg_turns": 0.0,
        "tasks_by_model": {},
        "model_breakdown": (),
    }
    assert (found.session_start_ms, found.session_duration_ms) == (100, 250)


@pytest.mark.parametrize(
    ("elapsed", "median"),
    [([5], 5), ([1, 9], 5), ([9, 1, 2], 2), ([1, 100, 3, 5], 4), ([7, 7, 7, 7], 7)],
)
def test_the_median_lies_in_the_middle_of_odd_and_even_numbers(
    elapsed: list[int], median: int
) -> None:
    found = measure([task(elapsed_ms=each) for each in elapsed], started_ms=0, now_ms=0)
    assert (found.median_elapsed_ms, found.min_elapsed_ms, found.max_elapsed_ms) == (
        median,
        min(elapsed),
        max(elapsed),
    )


def test_averages_are_of_completed_tasks_and_sums_of_all() -> None:
    found = measure(
        [
            task(cost=100, elapsed_ms=10, turns=1),
            task(TaskState.pending_review, cost=300, elapsed_ms=30, turns=4),
            task(TaskState.failed, cost=5000, elapsed_ms=999, turns=99),
            task(TaskState.cancelled, cost=7, elapsed_ms=1),
            task(TaskState.running, cost=50),
            task(TaskState.pending),
        ],
        started_ms=0,
        now_ms=0,
    )
    assert (found.total_tasks, found.completed_tasks, found.failed_tasks) == (6, 2, 1)
    assert (found.cancelled_tasks, found.running_tasks, found.pending_tasks) == (1, 1, 1)
    assert (found.total_spend_microdollars, found.max_cost_microdollars) == (5457, 5000)
    assert (found.avg_cost_microdollars, found.avg_turns) == (200, 2.5)
    assert (
        found.avg_elapsed_ms,
        found.median_elapsed_ms,
        found.min_elapsed_ms,
        found.max_elapsed_ms,
    ) == (
        20,
        20,
        10,
        30,
    )


def test_models_are_listed_dearest_first() -> None:
    found = measure(
        [
            task(model="a", cost=10, elapsed_ms=4, turns=1),
            task(model="b", cost=500, elapsed_ms=10, turns=2),
            task(TaskState.failed, model="b", cost=100, elapsed_ms=99, turns=3),
            task(model="c", cost=10, turns=5),
        ],
        started_ms=0,
        now_ms=0,
    )
    assert found.model_breakdown == (
        ModelMetrics(
            model="b",
            task_count=2,
            total_cost_microdollars=600,
            avg_cost_microdollars=300,
            avg_elapsed_ms=10,
            total_turns=5,
        ),
        ModelMetrics(
            model="a",
            task_count=1,
            total_cost_microdollars=10,
            avg_cost_microdollars=10,
            avg_elapsed_ms=4,
            total_turns=1,
        ),
        ModelMetrics(
            model="c",
            task_count=1,
            total_cost_microdollars=10,
            avg_cost_microdollars=10,
            avg_elapsed_ms=0,
            total_turns=5,
        ),
    )
    assert list(found.tasks_by_model.items()) == [("a", 1), ("b", 2), ("c", 1)]


async def test_the_pools_figures_are_those_of_its_tasks_whatever_became_of_them(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        name, _, cost = task.prompt.partition(" ")
        await agent.pay(task, int(cost))
        if name == "fails":
            return failed("no", elapsed_ms=1000, turns=50)
        if name == "waits":
            return await gate(task, folder, line)
        return said(elapsed_ms=int(cost), turns=2)

    agent, clock = Payer(act), Ticker()
    async with open_pool(agent, clock=clock) as pool:
        start = clock.now
        for prompt, model, tags in (
            ("works 100", "m", ("x",)),
            ("works 40", "n", ("y",)),
            ("works 10", "m", ("x", "y")),
            ("works 30", "m", ()),
            ("fails 700", "n", ("x",)),
        ):
            clock.now += 1000
            await pool.run(prompt, config=TaskOverrides(model=model), tags=tags)
        clock.now += 1000
        stopped = await pool.submit("waits 5", config=TaskOverrides(model="m"))
        await until_here(lambda: agent.running == 1)
        await pool.cancel(stopped)
        await pool.wait(stopped, timeout_secs=GUARD)
        agent.arrived.clear()
        running = await pool.submit("waits 6", config=TaskOverrides(model="m"))
        await agent.arrived.wait()
        queued = [await pool.submit("waits 0") for _ in range(7)]
        await pool.cancel(queued[-1])

        found = await pool.metrics()
        assert (found.total_tasks, found.completed_tasks, found.failed_tasks) == (14, 4, 1)
        assert (found.cancelled_tasks, found.running_tasks, found.pending_tasks) == (2, 1, 6)
        assert (found.avg_cost_microdollars, found.max_cost_microdollars) == (45, 700)
        assert (found.median_elapsed_ms, found.min_elapsed_ms, found.max_elapsed_ms) == (
            35,
            10,
            100,
        )
        assert (found.avg_elapsed_ms, found.avg_turns) == (45, 2.0)
        assert (found.session_start_ms, found.session_duration_ms) == (start, 6000)

        async def counted(**wanted: object) -> tuple[int, int]:
            some = await pool.metrics(MetricsFilter.model_validate(wanted))
            return some.total_tasks, some.completed_tasks

        assert await counted(tags=("x",)) == (3, 2)
        assert await counted(tags=("x", "y")) == (4, 3)
        assert await counted(model="n") == (2, 1)
        assert await counted(tags=("x",), model="m") == (2, 2)
        assert await counted(since_ms=start + 2000, until_ms=start + 4000) == (3, 3)
        assert await counted(since_ms=start + 6000) == (9, 0)
        assert await counted(until_ms=start + 1000) == (1, 1)
        assert await counted() == (14, 4)

        clock.now += 5000
        gate.opened.set()
        await pool.wait(running, timeout_secs=GUARD)
        for each in queued:
            await pool.wait(each, timeout_secs=GUARD)
        assert await counted(since_ms=start + 6001) == (0, 0), "a task is made when it is submitted"
        done, status = await pool.metrics(), await pool.status()
        assert done.total_spend_microdollars == 100 + 40 + 10 + 30 + 700 + 5 + 6
        assert (
            done.completed_tasks,
            done.cancelled_tasks,
            done.pending_tasks,
            done.running_tasks,
        ) == (
            11,
            2,
            0,
            0,
        )
        assert (status.completed_tasks, status.failed_tasks, status.cancelled_tasks) == (11, 1, 2)
        assert status.total_spend_microdollars == done.total_spend_microdollars
        assert [(each.model, each.total_cost_microdollars) for each in done.model_breakdown] == [
            ("n", 740),
            ("m", 151),
            ("", 0),
        ]


async def test_a_chains_cost_and_its_tasks_are_counted_once(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        await agent.pay(task, 100)
        if task.prompt == "b" and task.attempt == 1:
            return failed("overloaded", retryable=True)
        return said(turns=1)

    agent = Payer(act)
    async with open_pool(agent, config=PoolConfig(retries=1, retry_delay_secs=0.01)) as pool:
        steps = [ChainStep(name=name, prompt=name) for name in "abc"]
        chain = await pool.wait_chain(await pool.submit_chain(steps), timeout_secs=GUARD)
        found, status = await pool.metrics(), await pool.status()
    assert chain is not None
    assert [step.cost_microdollars for step in chain.steps] == [100, 200, 100]
    assert (
        chain.total_cost_microdollars,
        found.total_spend_microdollars,
        status.total_spend_microdollars,
    ) == (400,) * 3
    assert (found.total_tasks, found.completed_tasks, status.completed_tasks) == (3, 3, 3)
    assert (found.avg_cost_microdollars, found.max_cost_microdollars) == (133, 200)


async def test_a_pool_says_at_a_glance_what_it_has_and_does(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=3, config=PoolConfig(budget_microdollars=9_000_000)) as pool:
        ids = [await pool.submit(each) for each in "ab"]
        await until_here(lambda: agent.running == 2)
        status, load = await pool.status(), pool.load
        assert (status.total_slots, status.idle_slots, status.busy_slots, status.errored_slots) == (
            3,
            1,
            2,
            0,
        )
        assert (status.running_tasks, status.pending_tasks, status.completed_tasks) == (2, 0, 0)
        assert (status.budget_microdollars, status.reserved_microdollars) == (9_000_000, 2_000_000)
        assert (status.total_spend_microdollars, status.shutdown) == (0, False)
        assert (load.slots, load.busy, load.tasks_waiting, load.chains_running) == (3, 2, 0, 2)
        gate.opened.set()
        for each in ids:
            await pool.wait(each, timeout_secs=GUARD)
        assert (await pool.status()).reserved_microdollars == 0


# ---- money


async def test_who_has_waited_for_a_task_finds_its_money_back(open_pool: OpenPool) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold_up(tx: Transaction, chain_id: str) -> None:
        if chains.get(tx, chain_id).state is ChainState.done:
            reached.set()
            go_on.wait(GUARD)

    async with open_pool(Puppet(), observer=Witness(hold_up)) as pool:
        task_id = await pool.submit("a")
        await until_here(reached.is_set)
        caller = asyncio.create_task(pool.wait(task_id, timeout_secs=GUARD))
        for _ in range(5):  # its end, its chain's end and its money are one transaction
            assert (await pool.task(task_id)).state is TaskState.running
        assert not caller.done()
        go_on.set()
        assert (await caller).output == "<a>"
        assert (await pool.status()).reserved_microdollars == 0
        assert await pool.cancel(task_id) is False


async def test_tasks_that_are_queued_together_cannot_together_pass_the_budget(
    open_pool: OpenPool,
) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        paid = await agent.pay(task, int(task.prompt))
        return said() if paid else failed("no money", ending="out_of_budget")

    agent = Payer(act)
    config = PoolConfig(budget_microdollars=3_000_000, task_budget_usd=1.0)
    async with open_pool(agent, slots=8, config=config) as pool:
        results = await pool.fan_out(["1000000"] * 12)
        done = sum(result.success for result in results)
        assert done in (2, 3), (
            "the third fits only once those are gone that began with little and got no more"
        )
        refused = [result for result in results if not result.success]
        assert {result.ending for result in refused} == {Ending.out_of_budget}
        assert all(result.budget_exceeded and result.cost_microdollars == 0 for result in refused)
        assert (await pool.status()).total_spend_microdollars == done * 1_000_000
        if done < 3:
            assert (await pool.run("1000000")).success
        with pytest.raises(CapReached, match="pool and month"):
            await pool.submit("one more")
    async with open_pool(agent, config=config) as pool:
        with pytest.raises(CapReached):
            await pool.submit("in a new process")


async def test_no_request_can_take_more_than_its_task_may_cost(open_pool: OpenPool) -> None:
    async def act(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        for _ in range(4):
            await agent.pay(task, 30_000)
        return said()

    agent = Payer(act)
    async with open_pool(agent) as pool:
        result = await pool.run("a", config=TaskOverrides(max_budget_usd=0.1))
    assert result.cost_microdollars == 90_000
