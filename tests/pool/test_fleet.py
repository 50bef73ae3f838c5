"""The story of several workers on one PostgreSQL: killed, cut off, stopped, and every chain ends once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.store.tables import chains, reservations, tasks
from claude_pool_gh.storage import Database, Transaction
from tests.forked import Forked
from tests.pool.kit import GUARD, step, until
from tests.pool.puppet import OpenPool, Puppet
from tests.pool.wire import wire_to
from tests.pool.worker import Log, kill, start

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
WITHIN = 15.0
"""Seconds in which the chains of a dead worker go on."""
STOP = 30.0
CHAINS = 24
SLOTS = 2


class Fleet:
    """Workers as on machines of their own, on one database."""

    def __init__(self, store: str, folder: Path) -> None:
        self.folder, self.log = folder, Log(folder / "runs.log")
        self.database = Database.open(store)
        self.processes: list[Forked] = []

    def start(self, store: str) -> Forked:
        number = len(self.processes)
        state = self.folder / f"worker-{number}"
        state.mkdir()
        spec: dict[str, Any] = {"serve": True, "stop": STOP, "slots": SLOTS, "state": str(state)}
        self.processes.append(start(self.log.path, store=store, host=f"host-{number}", **spec))
        return self.processes[-1]

    def name(self, process: Forked) -> str:
        """The worker's id."""
        return next(
            name for what, name, by in self.log.lines() if (what, by) == ("open", process.pid)
        )

    async def busy(self, process: Forked, runs: int) -> None:
        """Wait until a worker has begun so many runs from now on."""
        before = len(self.log.starts(pid=process.pid))
        await until(lambda: len(self.log.starts(pid=process.pid)) >= before + runs)

    async def carried_by(self, process: Forked) -> dict[str, int]:
        """The unfinished chains that name a worker, each with its generation."""
        own = sa.and_(
            chains.c.owner == self.name(process), chains.c.state.in_(("queued", "running"))
        )
        wanted = sa.select(chains.c.id, chains.c.generation).where(own)
        return await self.database.read(
            lambda tx: {row.id: row.generation for row in tx.execute(wanted)}
        )

    async def gone_on(self, before: dict[str, int]) -> None:
        """Wait until others have taken up all of these chains."""

        def taken(tx: Transaction) -> bool:
            found = tx.execute(
                sa.select(chains.c.id, chains.c.generation).where(chains.c.id.in_(before))
            )
            return all(row.generation > before[row.id] for row in found)

        async with asyncio.timeout(WITHIN):
            await until(lambda: self.database.read(taken))

    async def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        return await self.database.read(lambda tx: list(tx.execute(sa.select(table))))


@pytest.fixture
def store(postgres: Callable[[], str]) -> str:
    return postgres()


@pytest.fixture
def fleet(store: str, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(store, tmp_path)
    yield made
    for process in made.processes:
        kill(process)
    made.database.close()


async def test_one_is_killed_one_cut_off_one_stopped_and_every_chain_ends_once(
    fleet: Fleet, store: str
) -> None:
    steps = [step("one", "work 1"), step("two", "work {previous_output}"), step("three", "work 3")]
    async with (
        OpenPool(store, fleet.folder / "state")(Puppet(), slots=1) as pool,
        wire_to(store) as wire,
    ):
        pool._core.dispatcher.drain()  # it only submits
        ids = await pool.fan_out_chains([steps] * CHAINS)
        killed, cut, stopped = fleet.start(store), fleet.start(wire.url), fleet.start(store)
        for each in (killed, cut, stopped):
            await fleet.busy(each, 3)

        lost = await fleet.carried_by(killed)
        kill(killed)
        await fleet.gone_on({name: gen for name, gen in lost.items() if gen})

        wire.cut()
        # What it had under way when the wire was cut may end, and cannot be written.
        await fleet.gone_on(await fleet.carried_by(cut))
        wire.mend()
        ids += await pool.fan_out_chains([steps] * CHAINS)
        await fleet.busy(cut, 3)  # it is back, and works

        stopped.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(stopped.wait(), STOP) == 0
        assert any(what == "left-0" and by == stopped.pid for what, _, by in fleet.log.lines())
        assert await fleet.carried_by(stopped) == {}

        done = sa.select(sa.func.count()).select_from(chains).where(chains.c.state == "done")
        await until(
            lambda: fleet.database.read(lambda tx: bool(tx.execute(done).scalar_one() == len(ids)))
        )

    ended = {row.id: row.outcome["verdict"] for row in await fleet.rows(chains)}
    assert ended == dict.fromkeys(ids, "answered")
    every = await fleet.rows(tasks)
    assert len(every) == 3 * len(ids)
    assert {row.state for row in every} == {"completed"}

    begun = Counter(fleet.log.starts())
    assert set(begun.values()) == {1}, "no run was begun by two"
    again = [row for row in every if row.attempt > 1]
    assert len(again) <= 2 * SLOTS, (
        "only what ran on the two that were lost at that moment ran again"
    )
    assert all(row.attempt == 2 for row in again)

    money = await fleet.rows(reservations)
    assert all(row.settled is not None for row in money)
    requests = [row for row in money if row.level == "request"]
    assert {row.settled for row in requests} <= {300, 1_000}, (
        "at its cost, or where nobody knows it at its most"
    )
    assert len(requests) <= len(begun), "no run has paid twice"
    spent = sum(row.settled for row in requests)
    assert sum(row.settled for row in money if row.level == "chain") == spent
    assert os.getpid() not in {by for what, _, by in fleet.log.lines() if what == "start"}


async def test_four_workers_drain_one_queue_and_each_takes_its_part(
    fleet: Fleet, store: str
) -> None:
    """All at once on a new database: its tables are made once."""
    every = [fleet.start(store) for _ in range(4)]
    await until(lambda: sum(what == "open" for what, *_ in fleet.log.lines()) == 4)
    async with OpenPool(store, fleet.folder / "state")(Puppet(), slots=1) as pool:
        pool._core.dispatcher.drain()
        ids = [await pool.submit("work") for _ in range(CHAINS)]
        results = [await pool.wait(each, timeout_secs=GUARD) for each in ids]
    assert all(each.success for each in results)
    assert all(fleet.log.starts(pid=each.pid) for each in every)
    assert sorted(fleet.log.starts()) == sorted(f"{each}.1" for each in ids)
