"""A lone task has its row from the moment it is submitted, and that row tells how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig, TaskOverrides
from claude_pool_gh.pool.model.errors import UnknownTask
from claude_pool_gh.pool.model.events import TaskFinished
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.model.records import TaskFilter
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store.tables import chains, tasks
from claude_pool_gh.storage import migrations
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, OpenPool, Puppet, said

NO_SLOTS = PoolConfig(scaling=ScalingConfig(min_slots=0))


async def rows(pool: Pool) -> list[tuple[str, str, int]]:
    """State, step and attempts of every task's row."""
    asked = sa.select(tasks.c.state, tasks.c.step, tasks.c.attempt)
    return [
        (row.state, row.step, row.attempt)
        for row in await pool.database.read(lambda tx: tx.execute(asked).all())
    ]


async def without_rows(pool: Pool) -> None:
    """As a worker of an earlier version has submitted."""
    await pool.database.transact(lambda tx: tx.execute(tasks.delete()))


async def test_it_is_there_before_anything_runs_and_when_it_is_cancelled(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet(), slots=0, config=NO_SLOTS) as pool:
        task_id = await pool.submit("x", tags=["t"])
        assert await rows(pool) == [("pending", "task", 0)]
        assert (await pool.status()).pending_tasks == 1
        assert [
            task.id for task in await pool.tasks(TaskFilter(state=TaskState.pending, tags=["t"]))
        ] == [task_id]
        assert await pool.cancel(task_id)
        assert await rows(pool) == [("cancelled", "task", 0)]
        task = await pool.task(task_id)
        assert (task.state, task.attempts, task.prompt) == (TaskState.cancelled, 0, "x")
        assert task.result is not None
        assert task.result.ending is Ending.cancelled
        status = await pool.status()
        assert (status.pending_tasks, status.cancelled_tasks) == (0, 1)


async def test_a_task_that_waits_in_vain_for_a_slot_has_it_too(open_pool: OpenPool) -> None:
    no_patience = NO_SLOTS.model_copy(update={"slot_assignment_timeout_secs": 0.001})
    async with open_pool(Puppet(), slots=0, config=no_patience) as pool:
        result = await pool.wait(await pool.submit("late"), timeout_secs=GUARD)
        assert (result.ending, await rows(pool)) == (Ending.failed, [("failed", "task", 0)])
    assert "slot" in result.reason


async def test_a_task_for_which_no_money_is_left_before_it_begins_says_so(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def pays(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        await gate(task, folder, line)
        return said(cost_microdollars=90_000)

    agent = Puppet(pays)
    config = PoolConfig(budget_microdollars=100_000, task_budget_usd=0.1)
    async with open_pool(agent, config=config) as pool:
        first = await pool.submit("a")
        await agent.arrived.wait()  # and has all the money set aside
        second = await pool.submit("b")
        assert await rows(pool) == [("running", "task", 1), ("pending", "task", 0)]
        gate.opened.set()
        assert (await pool.wait(first, timeout_secs=GUARD)).success
        result = await pool.wait(second, timeout_secs=GUARD)
        assert (result.ending, result.budget_exceeded) == (Ending.out_of_budget, True)
        assert sorted(each for each, _, _ in await rows(pool)) == ["completed", "failed"]


async def test_its_end_is_told_also_where_it_never_began(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=0, config=NO_SLOTS) as pool:
        task_id = await pool.submit("x")
        events = pool.events(task_id)
        await pool.cancel(task_id)
        told = [event async for event in events]
    assert [event.task_id for event in told if isinstance(event, TaskFinished)] == [task_id]


async def test_every_submitted_task_is_listed_and_counted_by_its_row(open_pool: OpenPool) -> None:
    gate = Gate()
    async with open_pool(Puppet(gate)) as pool:
        first = await pool.submit("runs")
        others = [await pool.submit("waits") for _ in range(3)]
        await until(lambda: pool.load.busy == 1)
        assert len(await pool.tasks()) == len(await rows(pool)) == 4
        await pool.cancel(others[0])
        gate.opened.set()
        for each in (first, *others):
            await pool.wait(each, timeout_secs=GUARD)
        assert sorted(each for each, _, _ in await rows(pool)) == ["cancelled", *["completed"] * 3]


async def test_no_row_is_invented_for_a_task_that_lacks_it(open_pool: OpenPool) -> None:
    """What the tests here would find, were a row not stored: nothing tells of the task."""
    async with open_pool(Puppet(), slots=0, config=NO_SLOTS) as pool:
        task_id = await pool.submit("x", tags=["t"])
        await without_rows(pool)
        assert await pool.tasks() == await pool.tasks(TaskFilter(tags=["t"])) == []
        assert ((await pool.status()).pending_tasks, (await pool.metrics()).total_tasks) == (0, 0)
        with pytest.raises(UnknownTask, match=task_id):
            await pool.task(task_id)


async def test_a_task_that_an_older_worker_submitted_gets_its_row_when_it_begins_or_ends(
    open_pool: OpenPool,
) -> None:
    """Workers of two versions share a store for as long as one is replaced by the other."""
    async with open_pool(Puppet(), slots=0, config=NO_SLOTS) as pool:
        runs, cancelled = await pool.submit("runs"), await pool.submit("cancelled")
        made = [task.created_at_ms for task in await pool.tasks()]
        await without_rows(pool)
        assert await pool.cancel(cancelled)
        assert (await pool.wait(cancelled, timeout_secs=GUARD)).ending is Ending.cancelled
        await pool.scale_up(1)
        assert (await pool.wait(runs, timeout_secs=GUARD)).success
        tasks = await pool.tasks()
        assert [(task.id, task.state) for task in tasks] == [
            (runs, TaskState.completed),
            (cancelled, TaskState.cancelled),
        ]
        assert [task.created_at_ms for task in tasks] == made


async def test_a_rejected_and_an_interrupted_one_go_on_with_their_row(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        task_id = await pool.submit("x", review=True, config=TaskOverrides(retries=1))
        await pool.wait(task_id, timeout_secs=GUARD)
        assert await pool.reject(task_id, "again")
        await pool.wait(task_id, timeout_secs=GUARD)
        await pool.approve(task_id)
        assert await rows(pool) == [("completed", "task", 2)]


async def _is_at(pool: Pool, revision: str) -> None:
    said = sa.text("UPDATE alembic_version SET version_num = :revision")
    await pool.database.transact(lambda tx: tx.execute(said, {"revision": revision}))


async def test_a_store_of_an_earlier_version_gets_the_rows_that_it_lacks(
    open_pool: OpenPool,
) -> None:
    """Submitted, cancelled and refused before the row was made at once."""
    async with open_pool(Puppet(), slots=0, config=NO_SLOTS) as pool:
        waits, cancelled, refused = [
            await pool.submit(name) for name in ("waits", "cancelled", "refused")
        ]
        await pool.cancel(cancelled)
        outcome = {"verdict": "out_of_budget", "reason": "the cap per pool", "ours": False}
        ended = {"state": "done", "outcome": outcome, "ended_ms": 5}

        def make_old(tx: Any) -> None:
            tx.execute(chains.update().where(chains.c.id == refused).values(**ended))
            tx.execute(tasks.delete())

        await pool.database.transact(make_old)
        assert await rows(pool) == []
        await _is_at(pool, "0009")
        migrations.run(pool.database.engine, "0010")
        await _is_at(pool, migrations.newest())
        found = {task.id: task for task in await pool.tasks()}
        assert {each: found[each].state for each in (waits, cancelled, refused)} == {
            waits: TaskState.pending,
            cancelled: TaskState.cancelled,
            refused: TaskState.failed,
        }
        result = found[refused].result
        assert result is not None
        assert (result.ending, result.reason, result.budget_exceeded) == (
            Ending.out_of_budget,
            "the cap per pool",
            True,
        )
        assert len(await rows(pool)) == 3
        assert migrations.current(pool.database.engine) == migrations.newest()
        await pool.scale_up(1)
        assert (await pool.wait(waits, timeout_secs=GUARD)).success
