"""Under a tight budget whoever needs money gets what others do not need, and nobody is refused while it is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from tests.pool.kit import GUARD
from tests.pool.puppet import OpenPool


class Dear:
    """Reserves far more than it turns out to cost, twice."""

    def least(self, task: AgentTask) -> int:  # noqa: ARG002
        return 20_000

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:  # noqa: ARG002
        for _ in range(2):
            async with line.spending(600_000) as spent:
                await asyncio.sleep(0.05)
                spent.cost = 100_000
        return AgentOutcome(ending=Ending.completed, text="ok")


async def test_tasks_beside_each_other_wait_for_what_the_others_let_go(open_pool: OpenPool) -> None:
    """Eight of them reserve 4.80 at once, cost 1.60 in all, and may cost 4."""
    config = PoolConfig(budget_microdollars=4_000_000, task_budget_usd=1.0)
    async with open_pool(Dear(), slots=8, config=config) as pool:
        results = await asyncio.wait_for(pool.fan_out(["x"] * 8), GUARD)
        spent = (await pool.status()).total_spend_microdollars
    assert [each.ending for each in results] == [Ending.completed] * 8
    assert spent == 1_600_000


async def test_what_no_waiting_brings_is_refused_at_once(open_pool: OpenPool) -> None:
    config = PoolConfig(budget_microdollars=4_000_000, task_budget_usd=0.5)
    async with open_pool(Dear(), slots=2, config=config) as pool:
        results = await asyncio.wait_for(pool.fan_out(["x"] * 2), 60)
    assert [each.ending for each in results] == [Ending.out_of_budget] * 2
