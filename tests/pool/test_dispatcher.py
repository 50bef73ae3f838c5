"""Several pools in one process, one process on one file, and none takes what another carries."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.storage import Transaction
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, OpenPool, Puppet


async def test_two_pools_of_a_process_on_one_store_leave_each_other_alone(
    open_pool: OpenPool,
) -> None:
    """The second is opened while the first works, works itself, and is closed while the first still works."""
    gate, first, second = Gate(), Puppet(), Puppet()
    first.act = gate
    async with open_pool(first, name="first") as one:
        slow = await one.submit("slow")
        await until(lambda: first.running == 1)
        waiting = [await one.submit(f"{number}") for number in range(8)]
        await until(lambda: one.load.chains_running == 4)  # and the others are still in the queue
        async with open_pool(second, name="second") as two:
            assert (await asyncio.wait_for(two.run("a"), GUARD)).output == "<a>"
            await one._core.dispatcher.take_over()
            await two._core.dispatcher.take_over()
            await until(lambda: two.load.chains_running == 0)
            assert len(await one.slots()) == 2
        assert [slot.id for slot in await one.slots()] == ["slot-0"]
        gate.opened.set()
        result = await one.wait(slow, timeout_secs=GUARD)
        assert (result.success, (await one.task(slow)).attempts) == (True, 1)
        assert all([(await one.wait(each, timeout_secs=GUARD)).success for each in waiting])
    assert (first.prompts, second.prompts) == (["slow", *"01234567"], ["a"])


async def test_two_pools_of_a_name_in_one_process_run_each_task_once(open_pool: OpenPool) -> None:
    agents = [Puppet(), Puppet()]
    async with open_pool(agents[0], slots=2) as one, open_pool(agents[1], slots=2) as two:
        results = await asyncio.wait_for(
            asyncio.gather(
                one.fan_out([f"{n}" for n in range(20)]),
                two.fan_out([f"{n}" for n in range(20, 40)]),
            ),
            GUARD,
        )
    assert all(each.success for some in results for each in some)
    assert sorted([*agents[0].prompts, *agents[1].prompts], key=int) == [f"{n}" for n in range(40)]


async def test_a_pool_that_is_asked_all_the_time_who_died_never_loses_its_own_chains(
    open_pool: OpenPool, caplog: pytest.LogCaptureFixture
) -> None:
    """A chain that was claimed a moment ago, and is not carried yet, has not been lost."""
    agent = Puppet()
    async with open_pool(agent, slots=4) as pool:

        async def ask() -> None:
            while True:
                await pool._core.dispatcher.take_over()
                await asyncio.sleep(0)

        asking = asyncio.create_task(ask())
        results = await asyncio.wait_for(pool.fan_out([f"{n}" for n in range(100)]), GUARD)
        asking.cancel()
        generations = await pool.database.read(
            lambda tx: set(tx.execute(sa.select(chains.c.generation)).scalars())
        )
    assert all(each.success for each in results)
    assert len(agent.prompts) == 100
    assert generations == {1}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_second_process_is_refused_one_file_in_words_and_may_decide_beside_it(
    tmp_path: Path,
) -> None:
    state, gate, agent = tmp_path / "state", Gate(), Puppet()
    agent.act = gate
    async with OpenPool(None, state)(agent) as pool:
        slow = await pool.submit("slow")
        await until(lambda: agent.running == 1)
        other = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _SECOND,
            str(state),
            slow,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(other.communicate(), GUARD)
        assert said.decode().splitlines() == [
            f"another process runs tasks from {state}/pool.sqlite",
            "cancelled",
        ], said.decode()
        result = await pool.wait(slow, timeout_secs=GUARD)
    assert result.ending is Ending.cancelled
    async with OpenPool(None, state)(Puppet()) as pool:
        assert (await asyncio.wait_for(pool.run("a"), GUARD)).success


_SECOND = """
import asyncio, sys
from pathlib import Path
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.storage import Database
from tests.pool.puppet import Puppet

async def main(state, task):
    try:
        async with Pool.open(Puppet(), state=Path(state)):
            print("both dispatch")
    except PoolError as error:
        print(str(error).partition(":")[0])
    database = Database.open_existing(f"sqlite:///{state}/pool.sqlite")
    await database.transact(lambda tx: chains.request_cancel(tx, task, 0))
    database.close()
    print("cancelled")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_chain_that_cannot_be_read_keeps_nobody_else_from_being_taken_up(
    open_pool: OpenPool,
) -> None:
    """It is taken up without being begun, and whoever carries it says what is wrong."""
    agent = Puppet(act=(gate := Gate()))
    async with open_pool(agent) as pool:
        before = [await pool.submit(f"{number}") for number in range(4)]
        await until(lambda: pool.load.chains_running == 4)
        bad, good = await pool.submit("bad"), await pool.submit("good")
        spoil = chains.update().where(chains.c.id == bad).values(plan={})
        await pool.database.transact(lambda tx: tx.execute(spoil))
        gate.opened.set()
        assert (await pool.wait(good, timeout_secs=GUARD)).success
        assert all([(await pool.wait(each, timeout_secs=GUARD)).success for each in before])
    assert agent.prompts == ["0", "1", "2", "3", "good"]


class Canceller:
    """Asks for the end of whatever is taken up, in the moment in which it is."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        taken = sa.and_(chains.c.id == chain_id, chains.c.owner.is_not(None))
        tx.execute(chains.update().where(taken).values(cancel_requested=True))

    def committed(self) -> None:
        """Nobody is told."""


async def test_no_agent_begins_for_a_chain_whose_end_was_asked_for_as_it_was_taken_up(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    async with open_pool(agent, observer=Canceller()) as pool:
        result = await asyncio.wait_for(pool.run("x"), GUARD)
    assert result.ending is Ending.cancelled
    assert not agent.seen
