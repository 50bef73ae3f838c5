"""Lists of tasks and chains: pages of one snapshot, each in a fixed number of statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import UnknownChain, UnknownTask
from claude_pool_gh.pool.model.records import ChainProgress, TaskFilter, TaskRecord
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import context, listing, task_records
from claude_pool_gh.storage import Database, Transaction
from tests.pool.kit import step
from tests.pool.puppet import Gate, OpenPool, Puppet
from tests.statements import asked, statements_of

MOST = 8
"""Statements of one page, however long it is."""


async def test_a_list_costs_the_same_number_of_statements_however_long_it_is(
    open_pool: OpenPool,
) -> None:
    lists: tuple[Callable[[Transaction], object], ...] = (
        lambda tx: listing.tasks(tx, TaskFilter()),
        lambda tx: listing.tasks(tx, TaskFilter(tags=("a",)), limit=2, after=first),
        listing.progress,
        lambda tx: listing.progress(tx, unfinished=True, limit=2),
    )
    async with open_pool(Puppet(), slots=4) as pool:
        counts = []
        for _ in range(2):
            await _work(pool, tasks=6, chains=3)
            first = (await pool.tasks(limit=1))[0].id
            counts.append([await statements_of(pool.database, each) for each in lists])
        assert counts[0] == counts[1]
        assert max(counts[1]) <= MOST
        ids = [task.id for task in await pool.tasks()]

        def one_by_one(tx: Transaction) -> None:
            for task_id in ids:
                task_records.task(tx, task_id)

        # A statement for each task would be seen.
        assert await statements_of(pool.database, one_by_one) >= len(ids) > MOST


async def test_pages_one_after_the_other_are_the_whole_list(open_pool: OpenPool) -> None:
    async with open_pool(Puppet(), slots=2) as pool:
        await _work(pool, tasks=5, chains=4)
        whole, every_chain = await pool.tasks(), await pool.chains()
        assert len({task.id for task in whole}) == len(whole) == 5 + 2 * 4
        assert len(every_chain) == 4
        for size in (1, 3, 100):
            tasks: list[TaskRecord] = []
            chains: list[ChainProgress] = []
            while page := await pool.tasks(limit=size, after=tasks[-1].id if tasks else None):
                assert len(page) <= size
                tasks += page
            while some := await pool.chains(
                limit=size, after=chains[-1].chain_id if chains else None
            ):
                chains += some
            assert tasks == whole
            assert chains == every_chain


async def test_a_page_holds_what_the_filter_lets_through_and_begins_after_whatever_it_is_told(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(act=gate)
    async with open_pool(agent, slots=1) as pool:
        ids = [
            await pool.submit(str(number), tags=("odd",) if number % 2 else ())
            for number in range(8)
        ]
        await agent.arrived.wait()
        odd = TaskFilter(tags=("odd",))
        assert [task.id for task in await pool.tasks(odd, limit=2, after=ids[2])] == [
            ids[3],
            ids[5],
        ]
        pending = TaskFilter(state=TaskState.pending)
        # some have begun and wait for the slot, others are only queued
        waiting = await pool.tasks(pending)
        assert [task.id for task in waiting] == ids[1:]
        assert await pool.tasks(pending, limit=3, after=ids[3]) == waiting[3:6]
        gate.opened.set()
        await asyncio.gather(*(pool.wait(each) for each in ids))
        assert await pool.tasks(pending) == []
        with pytest.raises(UnknownTask, match="nobody"):
            await pool.tasks(after="nobody")
        with pytest.raises(UnknownChain, match="nobody"):
            await pool.chains(after="nobody")
        with pytest.raises(ValueError, match="at least 1"):
            await pool.tasks(limit=0)


async def test_a_reading_transaction_sees_one_moment(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        database, loop = pool.database, asyncio.get_running_loop()
        await pool.set_context("a", "old")

        def change(value: str) -> None:
            """From the transaction's own thread."""
            asyncio.run_coroutine_threadsafe(pool.set_context("a", value), loop).result()

        def read(tx: Transaction) -> tuple[str | None, str | None]:
            before = context.get(tx, "a")
            change("new")
            return before, context.get(tx, "a")

        assert await database.read(read) == ("old", "old")
        assert await pool.get_context("a") == "new"


async def test_without_a_snapshot_each_statement_would_see_another_moment(
    open_pool: OpenPool,
) -> None:
    """What the test above would find, had `read` PostgreSQL's own default."""
    async with open_pool(Puppet()) as pool:
        if pool.database.engine.dialect.name != "postgresql":
            pytest.skip("SQLite has no such level")
        await pool.set_context("a", "old")
        with pool.database.engine.connect() as connection:
            before = context.get(connection, "a")
            await pool.set_context("a", "new")
            assert (before, context.get(connection, "a")) == ("old", "new")


def test_no_list_reads_a_transcript(database: Database) -> None:
    """It is the largest thing in a row."""
    with database.engine.connect() as connection, asked(connection) as seen:
        listing.tasks(connection, TaskFilter())
        listing.progress(connection)
        connection.execute(sa.text("SELECT count(transcript) FROM tasks"))
    *lists, control = seen
    assert lists
    assert not any("transcript" in statement for statement in lists)
    assert "transcript" in control


async def _work(pool: Pool, *, tasks: int, chains: int) -> None:
    """Lone tasks, and chains of two steps, all of which have ended."""
    await pool.fan_out(["x"] * tasks, tags=("a", "b"))
    ids = await pool.fan_out_chains([[step("one", "1"), step("two", "2")]] * chains)
    for each in ids:
        await pool.wait_chain(each)
