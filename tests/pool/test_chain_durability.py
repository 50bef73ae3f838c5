"""A process that is killed with SIGKILL takes nothing with it: chains go on where they were, in the next process."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import NotUnderReview
from claude_pool_gh.pool.model.ids import ChainId, TaskId
from claude_pool_gh.pool.model.ports import Done, HostStepContext
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import costs
from claude_pool_gh.pool.store.tables import chains, reservations, steps, tasks
from claude_pool_gh.storage import Database, Transaction
from tests.pool.kit import ended, parked, script, step, until
from tests.pool.puppet import Gate, OpenPool, Puppet
from tests.pool.worker import Log, Noting, kill, start

FAN = [
    {"name": "one", "prompt": "say one"},
    {"name": "parts", "prompt": "list say say hang hang", "output_vars": {"parts": "parts"}},
    {"name": "per", "prompt": "{item} it", "each": "parts.parts"},
    {"name": "last", "prompt": "say {steps.one.output} {steps.per.output}"},
]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "runs.log")


@pytest.fixture
def worker(open_pool: OpenPool, log: Log) -> Iterator[Callable[..., Any]]:
    """Starts a worker on the store."""
    started = []

    def begin(log: Log = log, **spec: Any) -> Any:
        open_pool.state.mkdir(exist_ok=True)
        process = start(log.path, store=open_pool.store, state=str(open_pool.state), **spec)
        started.append(process)
        return process

    yield begin
    for process in started:
        kill(process)


@contextmanager
def looking(open_pool: OpenPool) -> Iterator[Database]:
    """The store, seen from outside."""
    database = Database.open(open_pool.store or f"sqlite:///{open_pool.state}/pool.sqlite")
    try:
        yield database
    finally:
        database.close()


async def step_states(database: Database) -> dict[str, str]:
    select = sa.select(steps.c.id, steps.c.state)
    return await database.read(lambda tx: {row.id: row.state for row in tx.execute(select)})


async def all_money_is_settled(pool: Pool) -> bool:
    open_ = sa.select(reservations.c.id).where(reservations.c.settled.is_(None))
    return await pool.database.read(lambda tx: not tx.execute(open_).all())


async def test_a_killed_chain_goes_on_at_its_step_and_what_was_done_is_not_repeated(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    """Neither finished steps nor the finished items of the one that ran; an answer on its way counts in full."""
    process = worker(chains=[FAN], slots=4)
    await until(lambda: sum(what == "hangs" for what, *_ in log.lines()) == 2)
    (chain,) = (run_id for what, run_id, _ in log.lines() if what == "submitted")
    done = sa.select(sa.func.count()).select_from(tasks).where(tasks.c.state == "completed")
    with looking(open_pool) as database:

        async def the_others_are_done() -> bool:
            return await database.read(lambda tx: tx.execute(done).scalar_one()) == 4

        await until(the_others_are_done)
    kill(process)
    agent = Noting(log=log)
    async with open_pool(agent, slots=2) as pool:
        result = await ended(pool, ChainId(chain))
        interrupted = await pool.database.read(lambda tx: costs.cost_of(tx, f"{chain}.per.2.1"))
        assert await all_money_is_settled(pool)
        assert len(await pool.slots()) == 2  # those of the dead are gone
        per = [task for task in await pool.tasks() if task.step == "per"]
    assert result.success
    assert sorted(log.starts()) == sorted(
        f"{chain}.{run}"
        for run in (
            "one.0.1",
            "parts.0.1",
            "per.0.1",
            "per.1.1",
            "per.2.1",
            "per.3.1",
            "per.2.2",
            "per.3.2",
            "last.0.1",
        )
    )
    assert result.final_output.startswith("<say <say one> per:\n<say it>")
    assert result.steps[2].output == "<say it>\n\n<say it>\n\n<hang it>\n\n<hang it>"
    assert interrupted == (5_300, True)
    assert result.total_cost_microdollars == 2 * 5_300
    assert {task.id.rpartition(".")[2]: task.attempts for task in per} == {
        "0": 1,
        "1": 1,
        "2": 2,
        "3": 2,
    }
    assert [task.result.upper_bound for task in per if task.result] == [False, False, True, True]


async def test_a_chain_that_asks_before_it_spends_again_waits_until_it_may(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    asking = [{"name": "one", "prompt": "say one"}, {"name": "two", "prompt": "hang two"}]
    process = worker(chains=[asking], options={"on_restart": "ask"})
    await until(lambda: any(what == "hangs" for what, *_ in log.lines()))
    kill(process)
    agent = Noting(log=log)
    async with open_pool(agent) as pool:
        (chain,) = [each.chain_id for each in await pool.chains()]
        await parked(pool, chain)
        progress = await pool.chain_progress(chain)
        assert (progress.waits_for, progress.current_step_name) == ("restart", "two")
        assert progress.cost_microdollars == 5_300
        assert (await pool.status()).reserved_microdollars == 0
        with pytest.raises(NotUnderReview, match="parked for restart"):
            await pool.approve(chain)
        with pytest.raises(NotUnderReview, match="parked for restart"):
            await pool.reject(chain, "no")
        assert agent.seen == []
    async with open_pool(agent) as pool:  # it goes on waiting in another process too
        assert (await pool.chain_progress(chain)).waits_for == "restart"
        await pool.go_on(chain)
        result = await ended(pool, chain)
        with pytest.raises(NotUnderReview):
            await pool.go_on(chain)
    assert result.success
    assert log.starts() == [f"{chain}.one.0.1", f"{chain}.two.0.1", f"{chain}.two.0.2"]


async def test_what_was_queued_when_the_process_died_runs_in_the_next(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    """Chains and lone tasks, each once, under the ids that their caller was given; and what was spent stays spent."""
    chain = [{"name": "one", "prompt": "say one"}, {"name": "two", "prompt": "say two"}]
    hanging = [{"name": "one", "prompt": "hang"}]
    process = worker(chains=[hanging, hanging, *[chain] * 6], tasks=["say 1", "say 2"], slots=2)
    await until(lambda: sum(what in ("hangs", "open") for what, *_ in log.lines()) == 3)
    given = [run_id for what, run_id, _ in log.lines() if what == "submitted"]
    kill(process)
    assert len(given) == 10
    async with open_pool(Noting(log=log), slots=2) as pool:
        assert (await pool.status()).total_spend_microdollars >= 600
        results = [await ended(pool, ChainId(each)) for each in given if each.startswith("chain-")]
        assert all(each.success for each in results)
        every = [await pool.wait(TaskId(each)) for each in given if each.startswith("task-")]
        assert all(each.success for each in every)
        assert every[-1].output == "<say 2>"
        status = await pool.status()
        assert (status.completed_tasks, status.pending_tasks, status.running_tasks) == (16, 0, 0)
        assert status.total_spend_microdollars == 2 * 5_300
        assert (status.total_slots, status.busy_slots) == (2, 0)
        assert await all_money_is_settled(pool)
    runs = [
        run_id for run_id in log.starts() if not any(run_id.startswith(each) for each in given[:2])
    ]
    assert len(runs) == len(set(runs)) == 14


async def test_a_task_under_which_processes_keep_dying_is_given_up(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    process = worker(
        chains=[[{"name": "one", "prompt": "say 1"}, {"name": "two", "prompt": "hang"}]]
    )
    await until(lambda: any(what == "hangs" for what, *_ in log.lines()))
    kill(process)
    with looking(open_pool) as database:  # as if it had happened three times before
        hanging = tasks.update().where(tasks.c.step == "two").values(attempt=4)
        await database.transact(lambda tx: tx.execute(hanging))
        money = reservations.update().where(reservations.c.id.like("%.two.0.1"))
        await database.transact(
            lambda tx: tx.execute(
                money.values(id=sa.func.replace(reservations.c.id, ".0.1", ".0.4"))
            )
        )
    async with open_pool(Noting(log=log)) as pool:
        (chain,) = [each.chain_id for each in await pool.chains()]
        result = await ended(pool, chain)
    assert result.reason == "step two: the server died 4 times while this ran"
    assert result.steps[0].output == "<say 1>"
    assert len(log.starts()) == 2


async def test_a_closed_pool_s_chains_go_on_in_the_next(open_pool: OpenPool) -> None:
    """A run that is stopped by the close starts again; what waited for a slot or in the queue runs too."""
    gate = Gate()
    agent, later = Puppet(script({"two": gate})), Puppet()
    chain = [step("one", "one"), step("two", "two"), step("three", "three")]
    async with open_pool(agent) as pool:
        ids = await pool.fan_out_chains([chain] * 6)
        await until(lambda: agent.running == 1 and "two" in agent.prompts)
    assert agent.running == 0
    async with open_pool(later, slots=2) as pool:
        results = [await ended(pool, each) for each in ids]
        assert all(each.success for each in results)
        assert (await pool.status()).completed_tasks == 18
        assert await all_money_is_settled(pool)
    both = agent.seen + later.seen
    ended_before = sum(task.prompt == "one" for task in agent.seen)
    assert sum(task.prompt == "one" for task in both) == 6
    assert sum(task.prompt == "two" for task in both) == 7  # the one that was stopped, again
    assert ended_before >= 1


async def test_what_a_host_step_commits_is_there_once_however_often_it_began(
    open_pool: OpenPool,
) -> None:
    gate, calls = Gate(), []

    async def host(context: HostStepContext) -> Done:
        calls.append(context.chain_id)
        if len(calls) == 1:
            await gate.opened.wait()

        def commit(tx: Transaction) -> None:
            own = chains.update().where(chains.c.id == context.chain_id)
            tx.execute(own.values(priority=chains.c.priority + 1))

        return Done("x", commit=commit)

    hosts = {"host": host}
    async with open_pool(Puppet(), host_steps=hosts) as pool:
        chain = await pool.submit_chain([step("host", host="host"), step("one", "one")])
        await until(lambda: len(calls) == 1)
    async with open_pool(Puppet(), host_steps=hosts) as pool:
        assert (await ended(pool, chain)).success
        row = sa.select(chains.c.priority).where(chains.c.id == chain)
        assert await pool.database.read(lambda tx: tx.execute(row).scalar_one()) == 1
    assert len(calls) == 2


TWO = [{"name": "one", "prompt": "say one"}, {"name": "two", "prompt": "say {previous_output}"}]


async def dies_and_goes_on(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log, point: str
) -> bool:
    """Kill a process at a transaction, and look at what the next one makes of it. False: it had ended by itself."""
    process = worker(log, chains=[TWO], doom=point)
    await until(lambda: process.returncode is not None)
    assert process.returncode in (0, -9), log.path.with_suffix(".err").read_text()
    given = [run_id for what, run_id, _ in log.lines() if what == "submitted"]
    with looking(open_pool) as database:
        before = await step_states(database)
    known = len(log.lines())
    async with open_pool(Noting(log=log), slots=2) as pool:
        ids = [each.chain_id for each in await pool.chains()]
        assert set(given) <= set(ids), "the caller was told an id that nobody knows"
        for chain in ids:
            result = await ended(pool, chain)
            assert result.success, result.reason
            assert result.final_output == "<say <say one>>"
            assert [each.success for each in result.steps] == [True, True]
        assert await all_money_is_settled(pool)
        assert set((await step_states(pool.database)).values()) <= {"completed"}
        every = await pool.tasks()
        assert len(every) == 2 * len(ids)
        assert all(task.state == "completed" and 1 <= task.attempts <= 2 for task in every)
        rows = await pool.database.read(lambda tx: tx.execute(sa.select(chains)).all())
        assert [(row.state, row.outcome["verdict"]) for row in rows] == [
            ("done", "answered")
        ] * len(ids)
    again = {
        run_id.rpartition(".")[0] for what, run_id, _ in log.lines()[known:] if what == "start"
    }
    finished = {f"{step_id}.0" for step_id, state in before.items() if state == "completed"}
    assert not again & finished, "a finished step ran again"
    assert len(log.starts()) == len(set(log.starts())), "an attempt began twice"
    return bool(process.returncode)


@pytest.mark.parametrize("point", ["after:3", "before:7", "after:8"])
async def test_a_chain_ends_once_though_its_process_is_killed(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log, point: str
) -> None:
    assert await dies_and_goes_on(open_pool, worker, log, point)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_chain_ends_once_wherever_its_process_is_killed(
    open_pool: OpenPool, worker: Callable[..., Any], tmp_path: Path, when: str
) -> None:
    """At every one of its transactions."""
    for number in itertools.count(1):
        log = Log(tmp_path / f"{number}.log")
        if not await dies_and_goes_on(open_pool, worker, log, f"{when}:{number}"):
            break
    assert number > 12


async def test_a_kept_conversation_goes_on_after_its_process_was_killed(
    open_pool: OpenPool, worker: Callable[..., Any], log: Log
) -> None:
    """The dead process's slots may still have their names; the conversation is found by its own id."""
    process = worker(tasks=["keep s1", "say done"], slots=1, serve=True)
    with looking(open_pool) as database:
        ended_ = sa.select(sa.func.count()).select_from(tasks).where(tasks.c.ended_ms.is_not(None))
        await until(lambda: any(what == "open" for what, *_ in log.lines()))
        await until(lambda: database.read(lambda tx: bool(tx.execute(ended_).scalar_one() == 2)))
    kill(process)
    agent = Puppet()
    async with open_pool(agent, slots=2) as pool:
        kept = (await pool.tasks())[0].result
        assert kept is not None
        assert kept.session_id == "slot-0/s1"
        assert "slot-0" not in {slot.id for slot in pool._core.slots.all}
        assert (await pool.run("go on", resume=kept.session_id)).success
        gone = await pool.run("go on", resume="slot-0/s2")
        assert (gone.success, gone.reason) == (
            False,
            "slot-0 is gone, and the conversation that it kept with it",
        )
    (task,) = agent.seen
    assert task.conversation is not None
    assert (task.conversation.resume, task.conversation.home.parent) == (
        "s1",
        open_pool.state / "slots",
    )
