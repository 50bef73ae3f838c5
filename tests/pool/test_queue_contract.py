"""What every queue promises, in process on SQLite or shared on PostgreSQL: one set of tests for both."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import Isolation, TaskOverrides
from claude_pool_gh.pool.model.errors import PoolError, Superseded
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan, WorkspaceSpec
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.dispatcher import end_overdue
from claude_pool_gh.pool.run.queues import (
    BEAT_SECONDS,
    SILENCE_SECONDS,
    Queue,
    QueueNotice,
    SharedQueue,
    queue_on,
)
from claude_pool_gh.pool.store import chains, ledger, queue
from claude_pool_gh.pool.store.chains import NewChain
from claude_pool_gh.pool.store.tables import chains as rows
from claude_pool_gh.pool.store.tables import reservations, tasks
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.forked import Forked
from tests.pool.kit import GUARD, ended, step, until
from tests.pool.make import NOW, account, caps
from tests.pool.puppet import Gate, OpenPool, Puppet
from tests.pool.worker import Log, Noting, kill, start
from tests.storage import old


@dataclass
class Store:
    """One store, the queues that workers open on it, and processes that serve it."""

    url: str
    folder: Path
    log: Log
    opened: list[Database] = field(default_factory=list)
    processes: list[Forked] = field(default_factory=list)

    @property
    def shared(self) -> bool:
        """Whether several processes may dispatch from it."""
        return not self.url.startswith("sqlite")

    @property
    def open_pool(self) -> OpenPool:
        return OpenPool(self.url, self.folder / "state")

    def database(self) -> Database:
        database = Database.open(self.url)
        migrations.upgrade(database.engine)
        self.opened.append(database)
        return database

    async def queue(self, worker: str, *, pool: str = chains.MAIN) -> Queue:
        """As a worker that has joined."""
        joined = queue_on(self.database(), SystemClock(), f"elsewhere/1/1/{worker}", pool)
        await joined.join()
        return joined

    def start(self, **spec: Any) -> Forked:
        """A process with a pool, on another machine as far as the others can tell."""
        spec = {
            "serve": True,
            "host": f"host-{len(self.processes)}",
            "state": str(self.folder),
            **spec,
        }
        self.processes.append(start(self.log.path, store=self.url, **spec))
        return self.processes[-1]

    def close(self) -> None:
        for process in self.processes:
            kill(process)
        for database in self.opened:
            database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/pool.sqlite"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")()
    opened = Store(url, tmp_path, Log(tmp_path / "runs.log"))
    yield opened
    opened.close()


LONE = Plan(
    verb="",
    steps=(AgentRun(name="find", prompt="p", overrides=TaskOverrides(model="m")),),
    limits=Limits(task=1_000_000, chain=1_000_000, wall_seconds=60, idle_seconds=60),
    workspace=WorkspaceSpec(isolation=Isolation.none),
)


def add(
    tx: Transaction, name: str, *, age: int = 0, pool: str = chains.MAIN, priority: int = 0
) -> None:
    own = caps(
        task=1_000_000,
        chain=1_000_000,
        **dict.fromkeys(("thread", "user_day", "repository_month"), 10**9),
    )
    new = NewChain(id=name, plan=LONE, account=account(), caps=own, pool=pool, priority=priority)
    assert chains.add(tx, new, NOW - age)


async def names(queue: Queue) -> list[str]:
    """Take up all there is."""
    found = []
    while (claim := await queue.claim()) is not None:
        found.append(claim.chain_id)
    return found


# ---- claim order, and the race for one chain


async def test_chains_are_claimed_by_priority_then_age(store: Store) -> None:
    own = await store.queue("a")
    for name, age, priority in (
        ("later", 1, 1),
        ("young", 0, 0),
        ("old", 9, 0),
        ("urgent", 0, -1),
        ("late", 5, 1),
    ):
        await store.database().transact(partial(add, name=name, age=age, priority=priority))
    await store.database().transact(partial(add, name="theirs", pool="other", priority=-9))
    assert await own.claim(below=-1) is None
    assert await names(own) == ["urgent", "old", "young", "late", "later"]


async def test_a_chain_that_comes_back_from_a_gate_has_kept_its_age(store: Store) -> None:
    own, database = await store.queue("a"), store.database()
    await database.transact(partial(add, name="old", age=9))
    assert await names(own) == ["old"]

    def park(tx: Transaction) -> None:
        ledger.reserve_chain(tx, "old", account(), caps(), NOW)
        chains.park(tx, chains.begin(tx, chains.get(tx, "old"), NOW), "approval")

    await database.transact(park)
    await database.transact(partial(add, name="young"))
    await database.transact(lambda tx: chains.unpark(tx, chains.get(tx, "old"), NOW))
    assert await names(own) == ["old", "young"]


async def test_of_two_that_claim_at_once_one_gets_each_chain(store: Store) -> None:
    both = [await store.queue("a"), await store.queue("b")]
    for number in range(40):
        await store.database().transact(partial(add, name=f"c{number:02}"))
    found = await asyncio.wait_for(asyncio.gather(*(names(each) for each in both)), GUARD)
    assert sorted([*found[0], *found[1]]) == [f"c{number:02}" for number in range(40)]
    owners = await store.database().read(
        lambda tx: {row.id: row.owner for row in tx.execute(sa.select(rows))}
    )
    assert {owners[name] for name in found[0]} <= {"elsewhere/1/1/a"}
    assert {owners[name] for name in found[1]} <= {"elsewhere/1/1/b"}


async def test_all_workers_together_carry_no_more_than_the_bound(store: Store) -> None:
    both = [await store.queue("a"), await store.queue("b")]
    for number in range(6):
        await store.database().transact(partial(add, name=f"c{number}"))
    claims = await asyncio.gather(*(each.claim(at_most=3) for each in both * 3))
    assert sum(claim is not None for claim in claims) == 3


# ---- a chain that nobody took up in time


@pytest.mark.parametrize("meanwhile", ["taken up", "begun", "given back", "nothing"])
async def test_what_was_taken_up_since_it_was_found_overdue_goes_on(
    store: Store, meanwhile: str
) -> None:
    own, database = await store.queue("a"), store.database()
    await database.transact(partial(add, name="c"))
    await database.transact(lambda tx: ledger.reserve_chain(tx, "c", account(), caps(), NOW))
    await database.transact(lambda tx: tx.execute(rows.update().values(deadline_ms=NOW)))
    ((chain_id, generation),) = await own.overdue()
    if meanwhile != "nothing":
        assert await names(own) == ["c"]
    if meanwhile == "begun":
        await database.transact(lambda tx: chains.begin(tx, chains.get(tx, "c"), NOW))
    if meanwhile == "given back":
        await own.let_go("c")
    ended = await database.transact(lambda tx: end_overdue(tx, chain_id, generation, NOW))
    assert ended == (meanwhile == "nothing")
    state = await database.read(lambda tx: chains.get(tx, "c").state)
    assert state == {"nothing": "done", "begun": "running"}.get(meanwhile, "queued")


# ---- one transaction


async def test_what_is_queued_in_a_transaction_that_fails_was_never_there(store: Store) -> None:
    own, database = await store.queue("a"), store.database()
    told = own.heard()
    first = await anext(told) if store.shared else None
    assert first == (QueueNotice(missed=True) if store.shared else None)

    def fails(tx: Transaction) -> None:
        add(tx, "never")
        tx.execute(rows.update().where(rows.c.id == "never").values(cancel_requested=True))
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(fails)
    assert await names(own) == []
    # and nobody is told of it: the first that is heard is what was committed after it
    if store.shared:
        await database.transact(partial(add, name="c"))
        assert await asyncio.wait_for(anext(told), GUARD) == QueueNotice(None, queued=True)
        await database.transact(lambda tx: chains.request_cancel(tx, "c", NOW))
        assert (await asyncio.wait_for(anext(told), GUARD)).chain_id == "c"


# ---- a carrier that is gone, or was thought to be


async def test_the_chains_of_a_worker_that_left_are_taken_over_and_of_one_that_lives_are_not(
    store: Store,
) -> None:
    one, two = await store.queue("a"), await store.queue("b")
    await store.database().transact(partial(add, name="c"))
    assert await names(one) == ["c"]
    assert await two.take_over([]) == []
    assert not two.alone
    await one.leave()
    (claim,) = await two.take_over([])
    assert (claim.chain_id, claim.generation) == ("c", 2)
    assert await two.take_over(["c"]) == []
    assert two.alone


async def test_the_one_that_was_taken_over_from_can_write_no_more(store: Store) -> None:
    one, two, database = await store.queue("a"), await store.queue("b"), store.database()
    await database.transact(partial(add, name="c"))
    claim = await one.claim()
    assert claim is not None
    # it may, as long as it carries it
    await database.transact(lambda tx: chains.hold(tx, "c", claim.generation))
    await one.leave()
    await two.take_over([])
    with pytest.raises(Superseded):
        await database.transact(lambda tx: chains.hold(tx, "c", claim.generation))
    assert await one.signals(["c"]) == {"c": (2, False)}


async def test_a_worker_takes_up_again_what_it_claimed_and_does_not_carry(store: Store) -> None:
    """Its claim was committed, and the answer never came."""
    own = await store.queue("a")
    await store.database().transact(partial(add, name="c"))
    assert await names(own) == ["c"]
    assert await own.take_over(["c"]) == []
    (claim,) = await own.take_over([])
    assert claim.generation == 2


async def test_after_a_kill_another_worker_goes_on_and_repeats_no_finished_step(
    store: Store,
) -> None:
    steps = [step("one", "pay 1"), step("two", "hang"), step("three", "say 3")]
    process = store.start(chains=[[each.model_dump(mode="json") for each in steps]])
    await until(lambda: any(what == "hangs" for what, *_ in store.log.lines()))
    kill(process)
    (chain,) = [name for what, name, _ in store.log.lines() if what == "submitted"]
    async with store.open_pool(Noting(log=store.log)) as pool:
        assert (await ended(pool, ChainId(chain))).success
        open_money = sa.select(reservations.c.id).where(reservations.c.settled.is_(None))
        assert await pool.database.read(lambda tx: tx.execute(open_money).all()) == []
    assert store.log.starts() == [
        f"{chain}.{which}" for which in ("one.0.1", "two.0.1", "two.0.2", "three.0.1")
    ]


def test_the_chains_of_a_dead_worker_go_on_within_15_seconds() -> None:
    """Between its last beat and the look that finds it missing; its own host sees it at once."""
    assert SharedQueue.__dataclass_fields__["watch_seconds"].default == BEAT_SECONDS
    assert BEAT_SECONDS + SILENCE_SECONDS + BEAT_SECONDS <= 15
    assert SILENCE_SECONDS >= 4 * BEAT_SECONDS, "a beat or two may be late"


def every_row(tx: Transaction, chain_id: str) -> list[Any]:
    """All that is stored of a chain."""
    selects = (
        rows.select().where(rows.c.id == chain_id),
        tasks.select().where(tasks.c.chain_id == chain_id),
        reservations.select()
        .where(reservations.c.chain_id == chain_id)
        .order_by(reservations.c.id),
    )
    return [tuple(row) for select in selects for row in tx.execute(select)]


async def test_a_paused_worker_that_comes_back_spoils_nothing(store: Store) -> None:
    """Shared, its chain has gone on without it; from a file, nobody could take it, and it goes on itself."""
    process = store.start(tasks=["held go"])
    await until(lambda: len(store.log.starts()) == 1)
    (task,) = [name for what, name, _ in store.log.lines() if what == "submitted"]
    process.send_signal(signal.SIGSTOP)
    store.log.path.with_name("go").touch()
    if not store.shared:
        with pytest.raises(PoolError, match="another process runs tasks from"):
            async with store.open_pool(Puppet()):
                pass
        process.send_signal(signal.SIGCONT)
        await until(lambda: any(what == "end" for what, *_ in store.log.lines()))
        database, done = (
            store.database(),
            sa.select(rows.c.state, rows.c.generation).where(rows.c.id == task),
        )
        await until(lambda: database.read(lambda tx: tuple(tx.execute(done).one()) == ("done", 1)))
        return
    async with store.open_pool(Noting(log=store.log)) as pool:
        assert (await pool.wait(TaskId(task), timeout_secs=GUARD)).success
        before = await pool.database.read(lambda tx: every_row(tx, task))
        process.send_signal(signal.SIGCONT)
        # It is back when it takes work again, and has seen by then that it lost the chain.
        pool._core.dispatcher.drain()
        next_ = await pool.submit("say more")
        await until(lambda: f"{next_}.1" in store.log.starts(pid=process.pid))
        assert (await pool.wait(next_, timeout_secs=GUARD)).success
        assert await pool.database.read(lambda tx: every_row(tx, task)) == before
    assert store.log.starts(pid=os.getpid()) == [f"{task}.2"]


async def test_a_cancel_from_another_process_ends_a_run_and_keeps_what_it_said(
    store: Store,
) -> None:
    store.start(tasks=["held never"])
    await until(lambda: len(store.log.starts()) == 1)
    (task,) = [name for what, name, _ in store.log.lines() if what == "submitted"]
    database = store.database()
    assert await database.transact(lambda tx: chains.request_cancel(tx, task, NOW)) is False
    done = sa.select(rows.c.state).where(rows.c.id == task)
    await until(lambda: database.read(lambda tx: tx.execute(done).scalar_one() == "done"))
    outcome = await database.read(lambda tx: tx.execute(sa.select(tasks.c.outcome)).scalar_one())
    assert (outcome["ending"], outcome["text"]) == ("cancelled", "so far")


# ---- restarts and upgrades


async def test_a_restart_goes_on_with_what_was_running_and_what_was_queued(store: Store) -> None:
    gate, agent = Gate(), Puppet()
    agent.act = gate
    async with store.open_pool(agent) as pool:
        ids = [await pool.submit(f"{number}") for number in range(3)]
        await until(lambda: agent.running == 1)
    async with store.open_pool(Puppet()) as pool:
        for task in ids:
            assert (await pool.wait(task, timeout_secs=GUARD)).success


async def test_an_upgrade_goes_on_with_chains_in_flight(store: Store) -> None:
    """As an older version left them: owners of its kind, no such triggers, a worker that never said goodbye."""
    database = Database.open(store.url)
    old.migrate(database, "0003")
    worker = "old-host/17/1700000000"

    def left(tx: Transaction) -> None:
        queue.beat(tx, worker, NOW)
        old.chain(tx, "waiting", LONE)
        old.chain(tx, "taken", LONE, owner=worker, generation=1)
        old.chain(tx, "running", LONE, owner=worker, generation=1, state="running", started_ms=NOW)
        old.money(tx, "running", 1_000_000)

    await database.transact(left)
    database.close()
    async with store.open_pool(Puppet()) as pool:
        assert migrations.current(pool.database.engine) == migrations.newest()
        for name in ("waiting", "taken", "running"):
            assert (await ended(pool, ChainId(name))).success
        generations = await pool.database.read(
            lambda tx: {row.id: row.generation for row in tx.execute(sa.select(rows))}
        )
    assert generations == {"waiting": 1, "taken": 2, "running": 2}


# ---- notices


class Deaf(SharedQueue):
    """Learns nothing from the database: as where a pooler has no session that could listen."""

    async def heard(self) -> AsyncIterator[QueueNotice]:
        if self.pool:
            raise ConnectionError("no listener can be had")
        yield QueueNotice()


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_where_nobody_can_listen_looking_finds_what_was_queued_cancelled_and_ended(
    store: Store,
) -> None:
    """Two pools, as in two processes, neither of which hears of the other."""
    gate, agent = Gate(), Puppet()
    agent.act = gate
    async with store.open_pool(agent) as one, store.open_pool(Puppet()) as other:
        for pool in (one, other):
            await _deafened(pool)
        other._core.slots.retire(1)  # it accepts work, and the first does it
        held = await other.submit("held")
        await until(lambda: agent.running == 1)
        assert await other.cancel(held)
        assert (await other.wait(held, timeout_secs=GUARD)).output is not None
        gate.opened.set()
        assert (await other.run("next")).success
        assert (await one.task(held)).id == held


async def _deafened(pool: Pool) -> None:
    """The same pool with a queue that hears nothing, from now on."""
    dispatcher = pool._core.dispatcher
    heard = dispatcher.queue
    assert isinstance(heard, SharedQueue)
    dispatcher.queue = Deaf(heard.database, heard.clock, heard.worker, heard.pool)
    listening = dispatcher._loops.pop()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    dispatcher._loops.append(asyncio.create_task(dispatcher._listen()))
