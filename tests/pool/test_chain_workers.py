"""Several processes on one database share its work; one that dies or loses a chain neither stops nor spoils it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.run.queues import SharedQueue, _open_here
from claude_pool_gh.pool.run.worker_watch import WorkerWatch
from claude_pool_gh.pool.store import queue
from claude_pool_gh.pool.store.places import queue_of
from claude_pool_gh.pool.store.tables import chains, reservations, tasks, workers
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.owners import own_id
from tests.pool.kit import GUARD, ended, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet, said
from tests.pool.worker import Log, Noting, kill, start

ELSEWHERE = "elsewhere/1/1"
"""A worker on another host, of which only its beats can be known."""
HERE = queue_of("main", Path.cwd().resolve())
"""The queue of pools that are opened without a name in this folder, as all of them here are."""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    _open_here.discard(ELSEWHERE)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "runs.log")


@pytest.fixture
def shared(postgres: Callable[[], str], tmp_path: Path) -> OpenPool:
    """One PostgreSQL for several processes."""
    return OpenPool(postgres(), tmp_path / "state")


@pytest.fixture
def worker(shared: OpenPool, log: Log, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Starts a process that serves the database until it is killed."""
    started: list[Any] = []

    def begin(**spec: Any) -> Any:
        state = tmp_path / f"worker-{len(started)}"
        state.mkdir()
        process = start(log.path, store=shared.store, state=str(state), serve=True, **spec)
        started.append(process)
        return process

    yield begin
    for process in started:
        kill(process)


async def opened(log: Log, *processes: Any) -> None:
    """Wait until these workers' pools are open."""
    await until(
        lambda: (
            {each.pid for each in processes}
            <= {by for what, _, by in log.lines() if what == "open"}
        )
    )


async def queued(shared: OpenPool, prompts: list[str], **config: Any) -> list[str]:
    """Tasks in the database that nobody has begun."""
    async with shared(Puppet(), config=PoolConfig(**config)) as pool:
        pool._core.dispatcher.drain()
        return [await pool.submit(prompt) for prompt in prompts]


async def test_two_processes_share_the_work_and_run_each_task_once(
    shared: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    ids = await queued(shared, ["held go"] * 30)
    both = [worker(slots=2), worker(slots=2)]
    database = Database.open(str(shared.store))
    try:
        await until(lambda: len(log.starts()) == 4)
        assert [len(log.starts(pid=each.pid)) for each in both] == [2, 2]
        log.path.with_name("go").touch()
        done = sa.select(sa.func.count()).select_from(chains).where(chains.c.state == "done")

        async def all_done() -> bool:
            return await database.read(lambda tx: tx.execute(done).scalar_one()) == 30

        await until(all_done)
        rows = await database.read(lambda tx: tx.execute(sa.select(tasks)).all())
    finally:
        database.close()
    assert {(row.id, row.state, row.attempt) for row in rows} == {
        (task, "completed", 1) for task in ids
    }
    assert sorted(log.starts()) == sorted(f"{task}.1" for task in ids)
    assert [log.most_at_once(each.pid) for each in both] == [2, 2]
    assert len({row.slot for row in rows}) == 4


async def test_two_processes_keep_the_bounds_of_chains_and_of_money_together(
    shared: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    """Each could take more. What the cap does not pay for is refused; what was let go pays for others."""
    ids = await queued(shared, ["pay"] * 12, budget_microdollars=3_000_000)
    bound = {"max_chains": 3}
    both = [worker(slots=2, config=bound), worker(slots=2, config=bound)]
    database = Database.open(str(shared.store))
    set_aside = sa.func.sum(sa.func.coalesce(reservations.c.settled, reservations.c.reserved))
    held = sa.select(sa.func.coalesce(set_aside, 0)).where(reservations.c.level == "chain")
    carried: list[int] = []
    money: list[int] = []
    done = sa.select(sa.func.count()).select_from(chains).where(chains.c.state == "done")

    def look(tx: Transaction) -> bool:
        carried.append(queue.carried(tx, HERE))
        money.append(int(tx.execute(held).scalar_one()))
        return bool(tx.execute(done).scalar_one() == 12)

    try:
        await opened(log, *both)
        await until(lambda: database.read(look))
        rows = await database.read(lambda tx: tx.execute(sa.select(chains)).all())
    finally:
        database.close()
    assert max(carried) <= 3
    assert max(money) <= 3_000_000
    assert log.most_at_once() <= 3
    verdicts = [row.outcome["verdict"] for row in rows if row.id in ids]
    # Each needs 0.50 and spends 0.40: the seventh fits if it is alone at 2.40, and after it 0.20 is left.
    paid = verdicts.count("answered")
    assert 5 <= paid <= 7
    assert verdicts.count("out_of_budget") == 12 - paid
    assert money[-1] == 400_000 * paid
    assert all(
        "the cap per pool and month" in row.outcome["reason"]
        for row in rows
        if row.outcome.get("reason")
    )


async def test_one_is_killed_and_the_other_finishes_its_chains(
    shared: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    """At once, since the process is known to be gone; its finished steps are kept, its slots are gone."""
    process = worker(slots=2)
    await opened(log, process)
    chain = [step("one", "say 1"), step("two", "hang"), step("three", "say 3")]
    agent = Noting(log=log)
    async with shared(agent, slots=1) as pool:
        pool._core.dispatcher.drain()  # until the other one is dead, it alone takes chains
        ids = await pool.fan_out_chains([chain] * 4)
        await until(lambda: sum(what == "hangs" for what, *_ in log.lines()) == 2)
        assert len(await pool.slots()) == 3
        began = log.starts()
        kill(process)
        pool._core.dispatcher._draining = False
        results = [await ended(pool, each) for each in ids]
        assert len(await pool.slots()) == 1
        living = await pool.database.read(queue.beats)
    assert all(each.success for each in results)
    assert set(living) == {pool._core.worker}
    again = [run_id.rpartition(".")[0] for run_id in log.starts()[len(began) :]]
    assert not set(again) & {run.rpartition(".")[0] for run in began if ".two." not in run}
    assert len(log.starts()) == len(set(log.starts())) == 4 * 3 + 2


async def test_a_cancel_reaches_a_task_that_another_process_runs_and_a_wait_its_end(
    shared: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    process = worker(slots=3)
    await opened(log, process)
    async with shared(Puppet(), slots=1) as pool:
        pool._core.dispatcher.drain()  # it runs nothing itself
        stopped, goes_on = await pool.submit("held never"), await pool.submit("held go")
        chain = await pool.submit_chain(
            [step("one", "held go"), step("two", "say {previous_output}")]
        )
        await until(lambda: {f"{stopped}.1", f"{goes_on}.1"} <= set(log.starts(pid=process.pid)))
        assert (await pool.task(stopped)).state == "running"
        assert await pool.cancel(stopped)
        result = await pool.wait(stopped, timeout_secs=GUARD)
        assert (result.ending, result.success, result.output) == ("cancelled", False, "so far")
        waits = [
            asyncio.create_task(pool.wait(goes_on)),
            asyncio.create_task(pool.wait_chain(chain)),
        ]
        log.path.with_name("go").touch()
        async with asyncio.timeout(GUARD):
            one, two = await asyncio.gather(*waits)
        assert one.success  # type: ignore[union-attr]
        assert two.final_output == "<say <held go>>"  # type: ignore[union-attr]
        assert {by for what, _, by in log.lines() if what == "end"} == {process.pid}


# ---- who is believed to live


def test_a_worker_elsewhere_is_dead_when_its_count_has_not_grown_for_long_enough() -> None:
    now, mine = [1000.0], own_id()
    watch = WorkerWatch(30.0, clock=lambda: now[0])

    def living_after(seconds: float, beats: dict[str, int]) -> set[str]:
        """Looking again and again, as a worker does."""
        for _ in range(2):
            now[0] += seconds / 3
            watch.living(beats)
        now[0] += seconds / 3
        return watch.living(beats)

    assert watch.living({ELSEWHERE: 7, mine: 1}) == {
        ELSEWHERE,
        mine,
    }  # seen for the first time: it gets its time
    assert ELSEWHERE in living_after(29.9, {ELSEWHERE: 7, mine: 2})
    assert ELSEWHERE not in living_after(29.9, {ELSEWHERE: 7, mine: 3})
    assert ELSEWHERE in living_after(0.3, {ELSEWHERE: 8, mine: 3})  # it was only slow
    assert living_after(29.7, {ELSEWHERE: 3, mine: 4}) == {
        ELSEWHERE,
        mine,
    }  # started anew, and counts from there
    assert living_after(30.3, {ELSEWHERE: 3, mine: 5}) == {mine}
    assert watch.living({mine: 6}) == {mine}
    assert set(watch.seen) == {mine}  # nobody who left is remembered


def test_nobody_is_dead_because_the_one_who_looks_could_not_look() -> None:
    """The database was away for all, or this process was paused: the others get the time to show themselves."""
    now, mine = [1000.0], own_id()
    watch = WorkerWatch(8.0, clock=lambda: now[0])
    watch.living({ELSEWHERE: 7, mine: 1})
    now[0] += 600.0
    assert watch.living({ELSEWHERE: 7, mine: 1}) == {ELSEWHERE, mine}
    now[0] += 3.9
    assert watch.living({ELSEWHERE: 7, mine: 2}) == {ELSEWHERE, mine}
    now[0] += 3.9
    assert watch.living({ELSEWHERE: 7, mine: 3}) == {mine}  # it did not show itself though it could


def test_a_worker_of_this_host_is_dead_as_soon_as_its_process_is() -> None:
    host, pid, born = own_id().split("/")
    watch = WorkerWatch(30.0, clock=lambda: 0.0)
    gone = f"{host}/{2**22 + 1}/{born}"
    reborn = f"{host}/{pid}/{int(born) - 100}"  # the process id was given to another process
    assert watch.living({gone: 1, reborn: 1, own_id(): 1}) == {own_id()}


# ---- a chain that was taken over


@dataclass
class Stoppable:
    """An act that tells how it was ended."""

    gate: Gate
    cancelled: bool = False
    ended: bool = False

    async def __call__(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        try:
            return await self.gate(task, folder, line)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        finally:
            self.ended = True


def every_row(tx: Transaction, chain_id: str) -> list[Any]:
    """All that is stored of a chain."""
    money = reservations.c.chain_id == chain_id
    selects = (
        chains.select().where(chains.c.id == chain_id),
        tasks.select().where(tasks.c.chain_id == chain_id),
        reservations.select().where(money).order_by(reservations.c.id),
    )
    return [tuple(row) for select in selects for row in tx.execute(select)]


def take_away(tx: Transaction, chain_id: str) -> list[Any]:
    """Another worker, which lives, takes the chain over; what is stored of the chain then."""
    _open_here.add(ELSEWHERE)  # on SQLite, all that live are in this process
    if tx.execute(sa.select(workers).where(workers.c.id == ELSEWHERE)).first() is None:
        queue.beat(tx, ELSEWHERE, 0)
    generation = tx.execute(
        sa.select(chains.c.generation).where(chains.c.id == chain_id)
    ).scalar_one()
    assert queue.take(tx, chain_id, generation, ELSEWHERE) is not None
    return every_row(tx, chain_id)


async def test_a_worker_whose_chain_was_taken_over_ends_its_run_and_writes_nothing_more(
    open_pool: OpenPool,
) -> None:
    act = Stoppable(Gate())
    agent = Puppet(script({"one": act}))
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one"), step("two", "two")])
        await until(lambda: agent.running == 1)
        taken = await pool.database.transact(lambda tx: take_away(tx, chain))
        await until(lambda: act.ended)
        await until(lambda: chain not in pool.live.held and pool.load.busy == 0)
        assert act.cancelled
        assert await pool.database.read(lambda tx: every_row(tx, chain)) == taken
        assert (await pool.run("the slot is free again")).success
    assert rows_of(open_pool, chain) == taken
    assert "two" not in agent.prompts


async def test_a_run_that_ends_after_its_chain_was_taken_over_is_not_written(
    open_pool: OpenPool,
) -> None:
    """Nor is any further step begun, though the worker has not noticed yet."""
    gate, agent, loop = Gate(), Puppet(), asyncio.get_running_loop()
    agent.act = script({"one": gate})
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one"), step("two", "two")])
        await until(lambda: agent.running == 1)

        def take_and_let_go(tx: Transaction) -> list[Any]:
            taken = take_away(tx, chain)
            loop.call_soon_threadsafe(gate.opened.set)
            return taken

        taken = await pool.database.transact(take_and_let_go)
        await until(lambda: chain not in pool.live.held and agent.running == 0)
        assert await pool.database.read(lambda tx: every_row(tx, chain)) == taken
    assert agent.prompts == ["one"]


def rows_of(open_pool: OpenPool, chain: str) -> list[Any]:
    database = Database.open(open_pool.store or f"sqlite:///{open_pool.state}/pool.sqlite")
    try:
        with database.engine.connect() as connection:
            return every_row(connection, chain)
    finally:
        database.close()


async def test_the_chain_of_a_silent_worker_elsewhere_is_taken_over_and_of_a_beating_one_is_not(
    shared: OpenPool,
) -> None:
    now, agent = [0.0], Puppet(script({"one": said("again")}))
    async with shared(agent) as pool:
        pool._core.dispatcher.drain()
        chain = await pool.submit_chain([step("one", "one"), step("two", "two")])

        def taken(tx: Transaction) -> None:
            queue.beat(tx, ELSEWHERE, 0)
            assert queue.take(tx, chain, 0, ELSEWHERE) is not None

        await pool.database.transact(taken)
        assert isinstance(pool._core.dispatcher.queue, SharedQueue)
        pool._core.dispatcher.queue.watch = WorkerWatch(30.0, clock=lambda: now[0])
        for _ in range(6):
            await pool._core.dispatcher.take_over()
            now[0] += 10.0
            await pool._core.dispatcher.take_over()
            now[0] += 10.0
            await pool.database.transact(lambda tx: queue.beat(tx, ELSEWHERE, 0))
        assert (await pool.chain_progress(chain)).status == "queued"
        for _ in range(5):
            await pool._core.dispatcher.take_over()
            now[0] += 10.0
        result = await ended(pool, chain)
        assert ELSEWHERE not in await pool.database.read(queue.beats)
    assert result.success
    assert agent.prompts == ["one", "two"]


async def test_a_cancel_and_a_park_at_the_same_time_leave_no_chain_behind(
    postgres: Callable[[], str], tmp_path: Path
) -> None:
    """The cancel comes while the transaction that parks the chain is not committed yet."""
    open_pool = OpenPool(postgres(), tmp_path)
    gate, agent = Gate(), Puppet()
    agent.act = script({"one": gate})
    async with open_pool(agent) as pool:
        chain = await pool.submit_chain([step("one", "one", gate=True)])
        await until(lambda: agent.running == 1)
        await pool.database.transact(lambda tx: take_away(tx, chain))
        await until(lambda: chain not in pool.live.held)
        own = chains.update().where(chains.c.id == chain)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with pool.database.engine.connect() as elsewhere, elsewhere.begin():
            elsewhere.execute(own.values(state="parked", parked_for="approval", owner=None))
            cancel = asyncio.create_task(pool.cancel_chain(chain))
            await until(
                lambda: pool.database.read(lambda tx: bool(tx.exec_driver_sql(waits).scalar_one()))
            )
        assert await cancel
        assert (await pool.chain_progress(chain)).status == "cancelled"


async def test_two_that_take_up_chains_at_the_same_time_keep_the_bound(shared: OpenPool) -> None:
    """The second looks only when what the first one took is there to be counted."""
    await queued(shared, ["say 1", "say 2"])
    database = Database.open(str(shared.store))
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    try:
        with database.engine.connect() as one, one.begin():
            assert queue.claim(one, ELSEWHERE, pool=HERE, at_most=1) is not None
            other = asyncio.create_task(
                database.transact(lambda tx: queue.claim(tx, own_id(), pool=HERE, at_most=1))
            )

            async def stands_still() -> bool:
                return await database.read(lambda tx: bool(tx.exec_driver_sql(waits).scalar_one()))

            await until(lambda: True if other.done() else stands_still())
        assert await other is None
    finally:
        database.close()
