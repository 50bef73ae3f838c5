"""A store that does not answer holds up nobody for ever: no drain, no pool that ends, and no caller that goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig
from claude_pool_gh.pool.model.errors import CapReached, PoolError, UnknownChain
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.chain_waiters import ChainWaiters
from claude_pool_gh.pool.store import cap_uses, chains, retention
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.storage.retries import Retries
from tests.pool.kit import GUARD, QUICK, until
from tests.pool.make import NOW, account, caps, plan
from tests.pool.puppet import Gate, Puppet
from tests.storage.flaky import Flaky

BRIEFLY = Retries(seconds=0.2, first_delay=0.01, longest_delay=0.05)


def opened(tmp_path: Path) -> Flaky:
    """A store that a test can take away."""
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite", retries=BRIEFLY)
    migrations.upgrade(database.engine)
    return Flaky(database)


async def test_a_drain_returns_although_the_store_is_away_and_says_that_it_knows_nothing(
    tmp_path: Path,
) -> None:
    flaky, agent = opened(tmp_path), Puppet(Gate())
    async with Pool.open(agent, store=flaky.database, config=QUICK) as pool:
        waiting = asyncio.create_task(pool.run("a"))
        await agent.arrived.wait()
        flaky.away = True
        summary = await asyncio.wait_for(pool.drain(deadline_secs=0.01), GUARD)
        assert (len(summary.cancelled), summary.known) == (1, False)
        await until(lambda: not agent.running)
        assert pool._core.waiting.closed
        flaky.away = False
        assert (await pool.drain(deadline_secs=0.01)).known
        await asyncio.wait({waiting}, timeout=GUARD)


async def test_a_drain_hides_no_error_that_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a fault of ours")

    flaky = opened(tmp_path)
    async with Pool.open(Puppet(), store=flaky.database) as pool:
        with monkeypatch.context() as patch:
            patch.setattr("claude_pool_gh.pool.store.queries.done_since", broken)
            with pytest.raises(KeyError):
                await pool.drain()


async def test_a_pool_ends_although_a_last_write_waits_for_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("claude_pool_gh.pool.background_writes.LAST_WORD", 0.1)
    flaky = opened(tmp_path)
    config = PoolConfig(scaling=ScalingConfig(min_slots=0))

    async def whole() -> None:
        async with Pool.open(Puppet(), store=flaky.database, slots=2, config=config) as pool:
            flaky.away = True
            await pool.scale_down(2)
            assert pool._core.background_writes.running

    await asyncio.wait_for(whole(), GUARD)
    assert "background_writes_cancelled" in {
        getattr(record, "action", "") for record in caplog.records
    }


async def test_a_caller_that_gives_up_stops_what_runs_while_the_store_is_away_and_cancels_it_once_it_is_back(
    tmp_path: Path,
) -> None:
    flaky, agent = opened(tmp_path), Puppet(Gate())
    async with Pool.open(agent, store=flaky.database, config=QUICK) as pool:
        caller = asyncio.create_task(pool.fan_out(["a", "b", "c"]))
        await agent.arrived.wait()
        flaky.away = True
        caller.cancel()
        await until(lambda: not agent.running)  # it costs nothing more, whatever the store says
        await asyncio.sleep(2 * BRIEFLY.seconds)
        flaky.away = False
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(caller, GUARD)

        async def over() -> bool:
            return {task.state for task in await pool.tasks()} == {TaskState.cancelled}

        await until(over)
        assert len(agent.seen) == 1


async def test_a_caller_that_gives_up_is_let_go_although_the_store_stays_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("claude_pool_gh.pool.submission.GIVING_UP", 0.3)
    flaky, agent = opened(tmp_path), Puppet(Gate())
    async with Pool.open(agent, store=flaky.database, config=QUICK) as pool:
        caller = asyncio.create_task(pool.run("a"))
        await agent.arrived.wait()
        flaky.away = True
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(caller, GUARD)
        flaky.away = False
    assert "not_cancelled" in {getattr(record, "action", "") for record in caplog.records}


async def test_a_caller_that_gives_up_gets_its_own_cancel_and_not_the_refusal_that_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def refuse(*_: object) -> None:
        loop.call_soon_threadsafe(asked.set)
        raise CapReached("pool", 1, 0, 1)

    monkeypatch.setattr(cap_uses, "ensure_affordable", refuse)
    async with Pool.open(Puppet(), store=opened(tmp_path).database) as pool:
        caller = asyncio.create_task(pool.run("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(caller, GUARD)
        await asyncio.wait_for(asked.wait(), GUARD)


async def test_a_caller_hears_of_the_end_that_a_process_beside_the_only_worker_has_given_its_task(
    tmp_path: Path,
) -> None:
    flaky, agent = opened(tmp_path), Puppet(Gate())
    async with Pool.open(agent, store=flaky.database, config=PoolConfig(max_chains=1)) as pool:
        await pool.submit("a")
        await agent.arrived.wait()
        queued = await pool.submit("b")
        waiting = asyncio.create_task(pool.wait(queued))
        await until(lambda: queued in pool._core.waiting.events)
        await until(pool._core.dispatcher.is_alone)
        await flaky.database.transact(lambda tx: chains.request_cancel(tx, queued, 1))
        assert (await asyncio.wait_for(waiting, GUARD)).ending == "cancelled"


async def test_whoever_looks_for_the_end_of_chains_elsewhere_survives_any_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def breaks(_tx: Transaction, chain_ids: object) -> set[str]:  # noqa: ARG001
        loop.call_soon_threadsafe(broken.set)
        raise KeyError("a fault of ours")

    caplog.set_level(logging.ERROR)
    flaky, agent = opened(tmp_path), Puppet(Gate())
    async with Pool.open(agent, store=flaky.database, config=PoolConfig(max_chains=1)) as pool:
        await pool.submit("a")
        await agent.arrived.wait()
        queued = await pool.submit("b")
        waiting = asyncio.create_task(pool.wait(queued))
        with monkeypatch.context() as patch:
            patch.setattr("claude_pool_gh.pool.store.lookup.under_way", breaks)
            await asyncio.wait_for(broken.wait(), GUARD)
        await flaky.database.transact(lambda tx: chains.request_cancel(tx, queued, 1))
        assert (await asyncio.wait_for(waiting, GUARD)).ending == "cancelled"
    assert "waiting_failed" in {getattr(record, "action", "") for record in caplog.records}


async def test_a_pool_is_used_in_the_loop_that_opened_it_and_says_so_elsewhere() -> None:
    """What is done in another thread's loop would wake nobody here."""

    def elsewhere(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        asyncio.run(asyncio.wait_for(work(), GUARD))

    async with Pool.open(Puppet(), config=QUICK) as pool:
        known = await pool.submit("a")
        for work in (lambda: pool.run("b"), lambda: pool.wait(known)):
            with pytest.raises(PoolError, match="run_coroutine_threadsafe"):
                await asyncio.to_thread(elsewhere, work)
        assert (await pool.wait(known)).success
        here = asyncio.get_running_loop()
        told = await asyncio.to_thread(
            lambda: asyncio.run_coroutine_threadsafe(pool.run("c"), here).result(GUARD)
        )
    assert told.success


async def test_a_caller_is_told_the_error_that_keeps_its_chain_from_being_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not pass, so waiting for a better time would be waiting for ever."""

    def breaks(_tx: Transaction, chain_ids: object) -> set[str]:  # noqa: ARG001
        raise KeyError("a fault of ours")

    caplog.set_level(logging.CRITICAL)
    flaky = opened(tmp_path)
    await flaky.database.transact(
        lambda tx: chains.create(tx, "lone", plan(), account(), caps(), NOW)
    )
    waiters = ChainWaiters(flaky.database)
    caller = asyncio.create_task(waiters.rest("lone"))
    looking = asyncio.create_task(waiters.look_for_ever(lambda: False))
    await until(lambda: "lone" in waiters.events)
    with monkeypatch.context() as patch:
        for name in ("under_way", "states_of"):
            patch.setattr(f"claude_pool_gh.pool.store.lookup.{name}", breaks)
        with pytest.raises(KeyError):
            await asyncio.wait_for(caller, GUARD)
    looking.cancel()


async def test_a_caller_hears_that_its_chain_was_deleted_elsewhere(tmp_path: Path) -> None:
    """It had ended and was deleted between two looks."""
    flaky = opened(tmp_path)
    await flaky.database.transact(
        lambda tx: chains.create(tx, "lone", plan(), account(), caps(), NOW)
    )
    waiters = ChainWaiters(flaky.database)
    caller = asyncio.create_task(waiters.rest("lone"))
    looking = asyncio.create_task(waiters.look_for_ever(lambda: False))
    await until(lambda: "lone" in waiters.events)

    def end_and_delete(tx: Transaction) -> int:
        chains.request_cancel(tx, "lone", NOW)
        return retention.prune_shared(tx, chains.MAIN, NOW + 1)

    assert await flaky.database.transact(end_and_delete) == 1
    with pytest.raises(UnknownChain):
        await asyncio.wait_for(caller, GUARD)
    looking.cancel()
