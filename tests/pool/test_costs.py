"""What a task that does nothing costs: statements and transactions are counted, so that they cannot grow unseen."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.storage import Database
from tests.pool.kit import step
from tests.pool.puppet import OpenPool, Puppet

TASKS = 10
FENCED = 2
"""Transactions that carry a lone task once it was taken up, which also begins it: its attempt begins, that ends, and
the chain with it. There were five."""
STATEMENTS = 27
"""Statements of a lone task, from its submission to its result, but for the looks for its end; on PostgreSQL two
more say whose money is to be locked, and each transaction leaves a receipt. There were 57. One of them finds that its
row is there already: a worker of an earlier version, on the same store, may have submitted it without."""
BESIDE = re.compile(
    r"BEGIN|SELECT chains\.id(, chains\.state)?\s+FROM chains\s+WHERE chains\.id IN|"
    r".*(workers|INSERT INTO receipts|pg_advisory|deadline_ms <|\bpriority, chains\.created_ms|chains\.owner|"
    r"reservations\.chain_id, reservations\.step|chains\.id, chains\.generation, chains\.cancel_requested)",
    re.DOTALL,
)
"""What the pool asks by the clock, or again and again while there is room: not for one task."""


async def test_a_lone_task_costs_no_more_than_it_does_now(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        seen = _watched(pool.database)
        for _ in range(TASKS):
            assert (await pool.run("x")).success
        # Each transaction for a chain begins by proving that it still holds it.
        assert sum(each.startswith("SELECT chains.generation") for each in seen) == FENCED * TASKS
        assert sum(not BESIDE.match(each) for each in seen) == STATEMENTS * TASKS


async def test_tasks_that_wait_together_are_looked_for_together(open_pool: OpenPool) -> None:
    """Each is taken up by one statement, and their caller asks for some at a time whether they have ended."""
    count = 40
    async with open_pool(Puppet(), slots=1) as pool:
        seen = _watched(pool.database)
        assert all(each.success for each in await pool.fan_out(["x"] * count))
    assert sum(each.startswith("UPDATE chains SET owner") for each in seen) < 1.5 * count
    assert 1 <= sum(each.startswith("SELECT chains.id, chains.state") for each in seen) <= count / 2


async def test_a_queue_that_was_found_empty_is_not_asked_again_until_something_is_queued(
    open_pool: OpenPool,
) -> None:
    """But for the look by the clock, which is put off here."""
    async with open_pool(Puppet()) as pool:
        pool._core.dispatcher.queue.look_seconds = 1_000
        seen = _watched(pool.database)
        async with asyncio.timeout(60):  # it is found by what is told alone
            for _ in range(TASKS):
                assert (await pool.run("x")).success
    # it finds the task, and then that there is no other; a notice of PostgreSQL's may come behind that
    assert (
        sum(each.startswith("UPDATE chains SET owner") for each in seen) <= 2 * TASKS + TASKS // 2
    )


async def test_a_chain_that_begins_otherwise_costs_one_transaction_more(
    open_pool: OpenPool,
) -> None:
    """What the count above would find: a step behind a condition is laid out in a transaction of its own."""
    async with open_pool(Puppet()) as pool:
        seen = _watched(pool.database)
        chain = await pool.submit_chain(
            [step("one", "1", when={"value": "args.go", "equals": "yes"})], args={"go": "yes"}
        )
        await pool.wait_chain(chain)
        assert sum(each.startswith("SELECT chains.generation") for each in seen) == FENCED + 1


def _watched(database: Database) -> list[str]:
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    return seen
