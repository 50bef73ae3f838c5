"""What goes wrong on the pool's own side while agents work: it is tried again, and costs no run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.plan import OnRestart
from claude_pool_gh.pool.model.ports import (
    AgentChannel,
    AgentOutcome,
    AgentTask,
    Done,
    HostStepContext,
)
from claude_pool_gh.pool.recipes import prompting
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.run.troubles import MOST_TROUBLES
from claude_pool_gh.pool.store.tables import steps, tasks
from claude_pool_gh.storage import Transaction
from tests.pool.acts import until_idle
from tests.pool.kit import GUARD, QUICK, ended, spender, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo, said

ASKS = ChainOptions(on_restart=OnRestart.ask)


@dataclass
class Stumbling:
    """An observer that breaks the transactions in which it finds what it looks for, the first time or always."""

    found: sa.Select[Any]
    """Ids: each of them breaks one transaction."""
    always: bool = False

    def __post_init__(self) -> None:
        self.broke: list[str] = []

    def changed(self, tx: Transaction, _chain_id: str) -> None:
        for found in tx.execute(self.found).scalars():
            if self.always or found not in self.broke:
                self.broke.append(found)
                raise OSError("disk full")

    def committed(self) -> None:
        """Nothing to tell."""


ENDED = sa.select(tasks.c.id).where(tasks.c.state == "completed")


def branches(count: int) -> ChainStep:
    return step("s", branches=tuple(step(f"b{number}", f"x{number}") for number in range(count)))


async def test_a_finished_answer_is_not_bought_again_because_a_write_failed(
    open_pool: OpenPool,
) -> None:
    agent, observer = spender(cost=1_000), Stumbling(ENDED)
    async with open_pool(agent, config=QUICK, observer=observer) as pool:
        result = await asyncio.wait_for(pool.run("x"), GUARD)
        await until_idle(pool, 1)
    assert len(observer.broke) == 1
    assert (result.success, result.cost_microdollars, len(agent.seen)) == (True, 1_000, 1)


async def test_one_write_that_fails_leaves_the_other_agents_of_its_step_at_work(
    open_pool: OpenPool,
) -> None:
    gate = Gate()

    async def act(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        return await (echo if task.prompt == "x0" else gate)(task, folder, line)

    agent, observer = Puppet(act), Stumbling(ENDED)
    async with open_pool(agent, config=QUICK, observer=observer, slots=4) as pool:
        chain_id = await pool.submit_chain([branches(4)], options=ASKS)
        await until(lambda: len(observer.broke) == 1 and agent.running == 3)
        gate.opened.set()
        assert (await ended(pool, chain_id)).success, "nobody died, so nobody is asked"
    assert sorted(agent.prompts) == ["x0", "x1", "x2", "x3"]
    assert len(observer.broke) == 4


async def test_trouble_is_counted_anew_for_each_step(open_pool: OpenPool) -> None:
    once_a_step = sa.select(steps.c.id).where(steps.c.state == "completed")
    agent, observer = Puppet(), Stumbling(once_a_step)
    many = [step(f"s{number}", "x") for number in range(MOST_TROUBLES + 2)]
    async with open_pool(agent, config=QUICK, observer=observer) as pool:
        result = await ended(pool, await pool.submit_chain(many, options=ASKS))
    assert result.success, result.reason
    assert len(observer.broke) == len(agent.seen) == len(many)


async def test_a_chain_that_breaks_again_and_again_at_one_place_is_given_up(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    observer = Stumbling(sa.select(steps.c.id).where(steps.c.state == "completed"), always=True)
    async with open_pool(agent, config=QUICK, observer=observer) as pool:
        result = await ended(pool, await pool.submit_chain([step("s", "x"), step("t", "y")]))
    assert (result.success, result.reason) == (False, "an error on our side that did not go away")
    # The first time it is the task's end and the step's together; the former is then written alone.
    assert len(observer.broke) == MOST_TROUBLES + 1
    assert len(agent.seen) == 1


async def test_a_result_that_cannot_be_stored_ends_its_task_and_is_not_bought_again(
    open_pool: OpenPool,
) -> None:
    agent, observer = (
        spender(said(cost_microdollars=500), cost=1_000),
        Stumbling(ENDED, always=True),
    )
    async with open_pool(agent, config=QUICK, observer=observer) as pool:
        result = await asyncio.wait_for(pool.run("x"), GUARD)
        await until_idle(pool, 1)
    assert (result.success, result.reason) == (False, "its result could not be stored (OSError)")
    assert (result.cost_microdollars, len(agent.seen)) == (1_500, 1)


async def test_a_run_that_was_begun_and_never_made_is_nobodys_death(
    open_pool: OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = prompting.more_system, [OSError("no such device")]

    def more_system(*args: Any) -> str:
        if left:
            raise left.pop()
        return real(*args)

    monkeypatch.setattr(prompting, "more_system", more_system)
    agent = Puppet()
    async with open_pool(agent, config=QUICK) as pool:
        chain_id = await pool.submit_chain([step("s", "x")], options=ASKS)
        assert (await ended(pool, chain_id)).success
        assert not pool.live.open
    assert (left, len(agent.seen)) == ([], 1)


async def test_an_end_that_nothing_could_write_is_written_by_whoever_takes_the_step_up_again(
    open_pool: OpenPool,
) -> None:
    """However often it fails: what this process knows of its own run goes before what the row says."""
    agent, observer = (
        spender(said("paid", cost_microdollars=500), cost=1_000),
        Stumbling(sa.select(tasks.c.id).where(tasks.c.ended_ms > 0)),
    )
    observer.broke = Reluctant(MOST_TROUBLES + 3)
    async with open_pool(agent, config=QUICK, observer=observer) as pool:
        result = await asyncio.wait_for(pool.run("x"), GUARD)
        assert not pool.live.open
    assert (result.success, result.output) == (True, "paid")
    assert (result.cost_microdollars, len(agent.seen)) == (1_500, 1), (
        "also what it said that it cost besides"
    )


class Reluctant(list[str]):
    """Forgets what it holds until it was given so much."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least = least

    def __contains__(self, value: object) -> bool:
        return len(self) >= self.least and super().__contains__(value)


async def test_a_step_of_the_hosts_that_needs_the_database_waits_until_it_is_back(
    open_pool: OpenPool,
) -> None:
    calls = []

    async def host(context: HostStepContext) -> Done:
        calls.append(context.chain_id)
        if len(calls) <= 2 * MOST_TROUBLES:
            raise sa.exc.OperationalError(
                "SELECT", {}, ConnectionError(), connection_invalidated=True
            )
        return Done("x")

    async with open_pool(Puppet(), config=QUICK, host_steps={"host": host}) as pool:
        assert (
            await ended(pool, await pool.submit_chain([step("h", host="host"), step("s", "x")]))
        ).success


async def test_a_pool_that_drains_lets_the_running_branches_end(open_pool: OpenPool) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, config=PoolConfig()) as pool:
        chain_id = await pool.submit_chain([branches(2)], options=ASKS)
        await until(lambda: agent.running == 1 and pool.load.tasks_waiting == 1)
        drained = asyncio.create_task(pool.drain(GUARD))
        await until(lambda: pool.load.tasks_waiting == 0)
        assert agent.running == 1
        gate.opened.set()
        assert (await drained).left_queued >= 0
    async with open_pool(agent, config=PoolConfig()) as pool:
        assert (await ended(pool, chain_id)).success
    assert sorted(agent.prompts) == ["x0", "x1"]
