"""Leaving the block loses nothing in silence, and a closed pool says that it is closed, and what became of its work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig, SlotConfig
from claude_pool_gh.pool.model.errors import PoolShutdown
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.storage import Database
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, OpenPool, Puppet, echo


async def slow(task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
    await asyncio.sleep(0.02)
    return await echo(task, folder, line)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_where_nothing_is_kept_the_block_waits_for_what_was_submitted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Puppet(slow)
    async with asyncio.timeout(GUARD), Pool.open(agent, slots=2) as pool:
        for number in range(6):
            await pool.submit(str(number))
        await pool.submit_chain(
            [ChainStep(name="one", prompt="a"), ChainStep(name="two", prompt="b")]
        )
    assert sorted(agent.prompts) == ["0", "1", "2", "3", "4", "5", "a", "b"]
    assert warnings(caplog) == []


async def test_with_a_store_what_has_not_begun_stays_queued(open_pool: OpenPool) -> None:
    agent = Puppet(Gate())
    async with asyncio.timeout(GUARD), open_pool(agent) as pool:
        ids = [await pool.submit(str(number)) for number in range(4)]
        await until(lambda: agent.running == 1)
    assert agent.prompts == ["0"]
    agent.act = echo
    async with open_pool(agent) as pool:
        for each in ids:
            assert (await pool.wait(each, timeout_secs=GUARD)).success


async def test_while_the_block_ends_nothing_more_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    agent, refused = Puppet(gate), asyncio.Event()

    async def late(pool: Pool) -> None:
        await until(lambda: pool._core.closing)
        with pytest.raises(PoolShutdown, match="takes no more work"):
            await pool.submit("late")
        gate.opened.set()
        refused.set()

    async with asyncio.timeout(GUARD), Pool.open(agent) as pool:
        await pool.submit("a")
        task = asyncio.create_task(late(pool))
    await task
    assert refused.is_set()
    assert (agent.prompts, warnings(caplog)) == (["a"], [])


@pytest.mark.parametrize("kept", [False, True])
async def test_an_exception_in_the_block_cancels_what_was_submitted_and_says_how_much(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, kept: bool
) -> None:
    agent = Puppet(Gate())

    async def block() -> None:
        async with Pool.open(agent, state=tmp_path / "state" if kept else None) as pool:
            for number in range(3):
                await pool.submit(str(number))
            await until(lambda: agent.running == 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(block(), GUARD)
    assert agent.running == 0
    said = [
        text
        for text in warnings(caplog)
        if "an exception ended the pool's block (ZeroDivisionError): 3 of" in text
    ]
    assert bool(said) is not kept, "with a state nothing is lost"


async def test_a_cancelled_block_ends_at_once(caplog: pytest.LogCaptureFixture) -> None:
    agent = Puppet(Gate())

    async def block() -> None:
        async with Pool.open(agent) as pool:
            await pool.submit("a")
            await asyncio.Event().wait()

    task = asyncio.create_task(block())
    await until(lambda: agent.running == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, GUARD)
    assert any("(CancelledError): 1 of" in text for text in warnings(caplog))


async def test_what_waits_for_approval_or_for_a_slot_at_the_end_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scaling = ScalingConfig(min_slots=0)
    async with (
        asyncio.timeout(GUARD),
        Pool.open(Puppet(), config=PoolConfig(scaling=scaling)) as pool,
    ):
        task_id = await pool.submit("a", review=True)
        await pool.wait(task_id)
        await pool.set_target_slots(0)
        await pool.submit("b")
    assert ["the pool's block has ended: 2 of" in text for text in warnings(caplog)] == [True]


async def test_a_drain_says_what_is_lost_where_nothing_is_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Puppet(Gate())
    async with asyncio.timeout(GUARD), Pool.open(agent) as pool:
        ids = [await pool.submit(str(number)) for number in range(6)]
        await until(lambda: agent.running == 1)
        waiting = asyncio.create_task(pool.wait(ids[-1]))
        await until(lambda: bool(pool._core.waiting.events))
        summary = await pool.drain(deadline_secs=0)
        assert (summary.cancelled, summary.left_queued, summary.lost) == ((ids[0],), 0, 5)
        with pytest.raises(
            PoolShutdown, match="it is lost, since the pool was opened without `state` and `store`"
        ):
            await waiting
        assert (await pool.task(ids[-1])).state is TaskState.pending
    assert warnings(caplog) == [], "the drain has told it"


async def test_a_drain_counts_what_it_leaves_of_its_own(tmp_path: Path) -> None:
    agent = Puppet(Gate())
    open_pool = OpenPool(None, tmp_path / "state")
    async with open_pool(Puppet(Gate()), name="other") as other, open_pool(agent) as pool:
        for number in range(4):
            await other.submit(str(number))
            await pool.submit(str(number))
        await until(lambda: agent.running == 1)
        summary = await asyncio.wait_for(pool.drain(deadline_secs=0), GUARD)
    assert (len(summary.cancelled), summary.left_queued, summary.lost) == (1, 3, 0)


EVERY: dict[str, Callable[[Pool, Any, Any], Awaitable[object]]] = {
    "run": lambda pool, _t, _c: pool.run("a"),
    "submit": lambda pool, _t, _c: pool.submit("a"),
    "fan_out": lambda pool, _t, _c: pool.fan_out(["a"]),
    "result": lambda pool, task, _c: pool.result(task),
    "wait": lambda pool, task, _c: pool.wait(task),
    "cancel": lambda pool, task, _c: pool.cancel(task),
    "task": lambda pool, task, _c: pool.task(task),
    "tasks": lambda pool, _t, _c: pool.tasks(),
    "transcript": lambda pool, task, _c: pool.transcript(task),
    "approve": lambda pool, task, _c: pool.approve(task),
    "reject": lambda pool, task, _c: pool.reject(task, "no"),
    "go_on": lambda pool, _t, chain: pool.go_on(chain),
    "submit_chain": lambda pool, _t, _c: pool.submit_chain([ChainStep(name="a", prompt="a")]),
    "fan_out_chains": lambda pool, _t, _c: pool.fan_out_chains([[ChainStep(name="a", prompt="a")]]),
    "submit_workflow": lambda pool, _t, _c: pool.submit_workflow("w"),
    "chain_progress": lambda pool, _t, chain: pool.chain_progress(chain),
    "chain_result": lambda pool, _t, chain: pool.chain_result(chain),
    "chain_steps": lambda pool, _t, chain: pool.chain_steps(chain),
    "wait_chain": lambda pool, _t, chain: pool.wait_chain(chain),
    "cancel_chain": lambda pool, _t, chain: pool.cancel_chain(chain),
    "chains": lambda pool, _t, _c: pool.chains(),
    "set_context": lambda pool, _t, _c: pool.set_context("a", "b"),
    "get_context": lambda pool, _t, _c: pool.get_context("a"),
    "delete_context": lambda pool, _t, _c: pool.delete_context("a"),
    "list_context": lambda pool, _t, _c: pool.list_context(),
    "slots": lambda pool, _t, _c: pool.slots(),
    "configure_slot": lambda pool, _t, _c: pool.configure_slot("slot-0", SlotConfig()),
    "restart_slot": lambda pool, _t, _c: pool.restart_slot("slot-0"),
    "scale_up": lambda pool, _t, _c: pool.scale_up(1),
    "scale_down": lambda pool, _t, _c: pool.scale_down(0),
    "set_target_slots": lambda pool, _t, _c: pool.set_target_slots(1),
    "status": lambda pool, _t, _c: pool.status(),
    "metrics": lambda pool, _t, _c: pool.metrics(),
    "drain": lambda pool, _t, _c: pool.drain(),
    "hand_over": lambda pool, _t, _c: pool.hand_over(1.0),
    "prune": lambda pool, _t, _c: pool.prune(older_than_secs=1),
    "apply_retention": lambda pool, _t, _c: pool.apply_retention(
        PoolRetention(transcripts=1, patches=1, chains=1)
    ),
}


@pytest.mark.parametrize("kind", ["temporary", "state", "a store of the caller's"])
async def test_after_the_close_every_method_says_that_the_pool_is_closed(
    tmp_path: Path, kind: str
) -> None:
    async_methods = {
        name
        for name in dir(Pool)
        if asyncio.iscoroutinefunction(getattr(Pool, name)) and name[0] != "_"
    }
    assert async_methods == set(EVERY), "a new method belongs in this list"
    database = Database.open(f"sqlite:///{tmp_path}/own.sqlite")
    more: dict[str, Any] = {"temporary": {}, "state": {"state": tmp_path / "state"}}.get(
        kind, {"store": database}
    )
    async with Pool.open(Puppet(), **more) as pool:
        task = await pool.submit("a")
        chain = await pool.submit_chain([ChainStep(name="a", prompt="a")])
        await pool.wait_chain(chain, timeout_secs=GUARD)
        await pool.wait(task, timeout_secs=GUARD)
    words = "nothing of it is kept" if kind == "temporary" else "on the same `state` or `store`"
    for method in EVERY.values():
        with pytest.raises(PoolShutdown, match=f"this pool is closed.*{words}"):
            await asyncio.wait_for(method(pool, task, chain), GUARD)
    assert (pool.load.chains_running, pool.load.busy) == (0, 0)
    database.close()
