"""What only shows how things stand never decides about what an agent has done."""

from __future__ import annotations

import asyncio

import sqlalchemy as sa

from claude_pool_gh.pool.store import slot_rows
from claude_pool_gh.pool.store.tables import slots
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, OpenPool, Puppet


async def test_a_result_is_kept_although_somebody_took_its_worker_for_dead(
    open_pool: OpenPool,
) -> None:
    """Its slots' rows were forgotten meanwhile; they are there again, and the next task runs."""
    gate, agent = Gate(), Puppet()
    agent.act = gate
    async with open_pool(agent) as pool:
        task = await pool.submit("a")
        await until(lambda: agent.running == 1)
        await pool.database.transact(lambda tx: slot_rows.forget_workers(tx, [pool._core.worker]))
        assert await pool.slots() == []
        gate.opened.set()
        result = await pool.wait(task, timeout_secs=GUARD)
        assert (result.success, result.output) == (True, "<a>")
        assert [(slot.id, slot.state.value) for slot in await pool.slots()] == [("slot-0", "idle")]
        assert (await asyncio.wait_for(pool.run("b"), GUARD)).output == "<b>"
        count = sa.select(slots.c.tasks_completed)
        assert await pool.database.read(lambda tx: tx.execute(count).scalar_one()) == 2
