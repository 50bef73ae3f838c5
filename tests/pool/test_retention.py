"""A store does not grow for ever: what ended long ago can be deleted, and the money that it cost still counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account, Caps, CapUse
from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.errors import UnknownChain, UnknownTask
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.pool.store import cap_uses, chains, lookup
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import patches, reservations, steps, tags, tasks
from claude_pool_gh.pool.store.tasks import of_chain, transcript
from claude_pool_gh.storage import Transaction
from tests.pool.kit import spender, step
from tests.pool.make import DAY, NOW, account, caps, plan
from tests.pool.puppet import Gate, OpenPool, Puppet

SOON = 0.0


@dataclass
class Clock:
    """Stands where the test puts it."""

    now: int = NOW

    def now_ms(self) -> int:
        return self.now


async def test_what_ended_long_ago_is_gone_and_what_it_cost_still_counts(
    open_pool: OpenPool,
) -> None:
    clock, config = Clock(), PoolConfig(budget_microdollars=10**9)
    async with open_pool(spender(cost=700), clock=clock, config=config) as pool:
        old = [await pool.submit(each, tags=("a",)) for each in ("one", "two")]
        chain = await pool.submit_chain([step("one", "1"), step("two", "2")])
        for each in old:
            await pool.wait(each)
        await pool.wait_chain(chain)
        clock.now += 2 * DAY
        young = await pool.submit("young")
        await pool.wait(young)
        before, used = await pool.status(), await _used(pool, clock.now)
        assert before.total_spend_microdollars == used == 5 * 700
        assert await pool.prune(older_than_secs=3 * DAY / 1000) == 0
        assert await pool.prune(older_than_secs=DAY / 1000) == 3
        assert await pool.prune(older_than_secs=DAY / 1000) == 0
        assert [task.id for task in await pool.tasks()] == [young]
        assert await pool.chains() == []
        with pytest.raises(UnknownTask):
            await pool.task(old[0])
        with pytest.raises(UnknownChain):
            await pool.chain_result(chain)
        after = await pool.status()
        assert (after.total_spend_microdollars, after.completed_tasks) == (
            before.total_spend_microdollars,
            1,
        )
        assert await _used(pool, clock.now) == used
        # The next time adds to the same sums.
        clock.now += DAY
        assert await pool.prune(older_than_secs=0.5) == 1
        assert (await pool.status()).total_spend_microdollars == 5 * 700
        assert await _used(pool, clock.now) == used
        counts = await pool.database.read(_rows)
        assert counts == {
            "chains": 2,
            "tags": 0,
            "steps": 0,
            "tasks": 0,
            "patches": 0,
            "reservations": 3,
        }


async def test_what_has_not_ended_stays_and_so_does_another_pools(open_pool: OpenPool) -> None:
    gate, clock = Gate(), Clock()
    agent = Puppet(act=gate)
    async with open_pool(agent, clock=clock) as pool:
        running, queued = await pool.submit("runs"), await pool.submit("waits")
        await agent.arrived.wait()
        clock.now += 9 * DAY
        assert await pool.prune(older_than_secs=SOON) == 0
        gate.opened.set()
        assert (await pool.wait(running)).success
        assert (await pool.wait(queued)).success
    clock.now += 1000
    async with open_pool(Puppet(), name="other", clock=clock) as pool:
        assert await pool.prune(older_than_secs=SOON) == 0
        assert len(await pool.tasks()) == 2
        with pytest.raises(ValueError, match="older_than_secs is -1"):
            await pool.prune(older_than_secs=-1)


async def test_a_threads_chains_stay_with_their_results_and_lose_their_transcripts(
    open_pool: OpenPool,
) -> None:
    clock = Clock()
    who, limits = account("1:7", "7", "1"), caps(task=1, chain=3, thread=100)

    def make(tx: Transaction) -> None:
        chains.create(tx, "bot", plan(), who, limits, clock.now)
        task = {
            "id": "bot.find.0",
            "chain_id": "bot",
            "step": "find",
            "shard": 0,
            "title": "",
            "state": "completed",
        }
        more = {
            "attempt": 1,
            "model": "m",
            "outcome": {"text": "x"},
            "transcript": ["long"],
            "created_ms": 1,
        }
        tx.execute(tasks.insert().values(**task, **more))
        chains.finish(tx, chains.get(tx, "bot"), Outcome(verdict=Verdict.clean), clock.now)

    async with open_pool(Puppet(), clock=clock) as pool:
        await pool.database.transact(make)
        own = chain_rows.update().where(chain_rows.c.id == "bot").values(pool=pool._core.queue)
        await pool.database.transact(lambda tx: tx.execute(own))
        clock.now += DAY
        kept = sa.select(tasks.c.outcome, tasks.c.transcript)
        assert await pool.prune(older_than_secs=2 * DAY / 1000) == 0
        assert await pool.database.read(lambda tx: tx.execute(kept).one()) == (
            {"text": "x"},
            ["long"],
        )
        assert await pool.prune(older_than_secs=SOON) == 0
        (task,) = await pool.database.read(lambda tx: of_chain(tx, "bot"))
        assert task.outcome == {"text": "x"}
        assert await pool.database.read(lambda tx: transcript(tx, task.id)) == []
        assert await pool.chain_result(ChainId("bot")) is not None


async def test_patches_of_what_waits_stay(open_pool: OpenPool) -> None:
    clock = Clock()
    async with open_pool(Puppet(), clock=clock) as pool:
        for name in ("ended", "waits"):
            await pool.database.transact(
                partial(_ended, name=name, who=account(), cost=1, pool=pool)
            )
            kept = {"chain_id": name, "base": "b", "commit": "c", "digest": "d", "patch": b"p"}
            own = patches.insert().values(run_id=name, created_ms=clock.now, **kept)
            await pool.database.transact(partial(_run, statement=own))
        parked = chain_rows.update().where(chain_rows.c.id == "waits")
        await pool.database.transact(
            partial(_run, statement=parked.values(state="parked", parked_for="approval"))
        )
        clock.now += DAY
        kept_days = PoolRetention(transcripts=None, patches=0.5, chains=None)
        assert (await pool.apply_retention(kept_days)).patches == 1
        left = await pool.database.read(
            lambda tx: list(tx.execute(sa.select(patches.c.run_id)).scalars())
        )
        assert left == ["waits"]


def _run(tx: Transaction, statement: sa.Executable) -> None:
    tx.execute(statement)


async def test_a_threads_old_chains_go_and_their_cost_counts_in_every_cap(
    open_pool: OpenPool,
) -> None:
    clock = Clock()
    limits = caps(task=1, chain=3, thread=10_000, user_day=5_000, repository_month=9_000)
    accounts = [account("1:7", "7", "1"), account("1:8", "7", "1")]

    async with open_pool(Puppet(), clock=clock) as pool:
        for number, who in enumerate((*accounts, accounts[0])):
            await pool.database.transact(
                partial(_ended, name=f"old{number}", who=who, cost=100 + number, pool=pool)
            )
        clock.now += DAY
        await pool.database.transact(
            partial(_ended, name="young", who=accounts[0], cost=7, pool=pool)
        )

        async def of(who: Account) -> list[CapUse]:
            return await pool.database.read(
                lambda tx: cap_uses.cap_uses(tx, who, limits, clock.now)
            )

        uses = [await of(who) for who in accounts]
        kept = PoolRetention(transcripts=None, patches=None, chains=0.5)
        assert (await pool.apply_retention(kept)).chains == 3
        assert (await pool.apply_retention(kept)).chains == 0
        counted = [await of(who) for who in accounts]
        assert counted == uses
        assert next(use for use in counted[0] if use.name == "thread").used == 100 + 102 + 7
        newest = await pool.database.read(
            lambda tx: lookup.newest_of(tx, "thread", accounts[0]["thread"], limit=9)
        )
        assert [chain.id for chain in newest] == ["young"], "what stands for money is no chain"


def _ended(tx: Transaction, name: str, who: Account, cost: int, pool: Pool) -> None:
    now = pool._core.clock.now_ms()
    wide = caps(task=1, chain=3, thread=10_000, user_day=5_000)
    chains.create(tx, name, plan(), who, wide, now)
    tx.execute(
        reservations.update()
        .where(reservations.c.chain_id == name, reservations.c.level == "chain")
        .values(settled=cost, settled_ms=now)
    )
    own = chain_rows.update().where(chain_rows.c.id == name)
    tx.execute(own.values(pool=pool._core.queue, state="done", ended_ms=now))


async def _used(pool: Pool, now_ms: int) -> int:
    """What counts against the pool's own cap."""
    own = Caps(task=1, chain=1, pool=10**9)
    (use,) = await pool.database.read(lambda tx: cap_uses.cap_uses(tx, {}, own, now_ms))
    return use.used


def _rows(tx: Transaction) -> dict[str, int]:
    count = sa.select(sa.func.count())
    every = (chain_rows, tags, steps, tasks, patches, reservations)
    return {table.name: tx.execute(count.select_from(table)).scalar_one() for table in every}
