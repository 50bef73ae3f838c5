"""A review's own rows shrink a month after its end: what reports, bills and people read of it stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.plan import AgentRun, HostCall
from claude_pool_gh.pool.model.states import StepState
from claude_pool_gh.pool.store import chains, continuation, costs, tasks
from claude_pool_gh.pool.store.chains import StepRow
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import reservations, steps
from claude_pool_gh.pool.store.tables import tasks as task_rows
from claude_pool_gh.pool.store.trimming import on_the_way, trim
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import DAY, NOW, account, caps, plan

REVIEW = plan().model_copy(
    update={"steps": (*plan().steps, HostCall(name="gather", call="review.gather"))}
)
READ = {"files": ["a.py"], "searches": [], "denied": []}


def _made(tx: Transaction, chain_id: str, verdict: Verdict, *, scoped: bool = True) -> None:
    """A review that has ended, with one task and two requests in each step of an agent."""
    who = account("1:7", "7", "1") if scoped else {}
    limits = caps(task=1, chain=3, thread=100) if scoped else Caps(task=1, chain=3)
    chains.create(tx, chain_id, REVIEW, who, limits, NOW)
    made = chains.get(tx, chain_id)
    for position, (step, record) in enumerate(zip(made.plan.steps, made.steps, strict=True)):
        result: Any = {"of": step.name}
        if isinstance(step, AgentRun):
            result = [{"title": "t", "task": f"{record.id}.0", "text": "said"}]
            _task(tx, chain_id, step.name)
        ended = {"state": StepState.completed, "result": result, "started_ms": NOW, "ended_ms": NOW}
        tx.execute(steps.update().where(steps.c.id == made.steps[position].id).values(**ended))
    chains.finish(tx, chains.get(tx, chain_id), Outcome(verdict=verdict), NOW)


def _task(tx: Transaction, chain_id: str, step: str) -> None:
    own = {"chain_id": chain_id, "step": step, "created_ms": NOW}
    task = {"id": f"{chain_id}.{step}.0", "shard": 0, "title": "t", "state": "completed"}
    outcome = {"ending": "completed", "text": "said", "structured": {"x": 1}, "looked_at": READ}
    more = {"attempt": 1, "model": "m", "slot": "s", "outcome": outcome, "started_ms": NOW}
    tx.execute(task_rows.insert().values(**own, **task, **more, ended_ms=NOW + 5))
    run = {"id": f"{chain_id}.{step}.0.1", "level": "task", "parent_id": chain_id}
    rows = [run | own | {"model": None, "reserved": 100, "settled": 30, "settled_ms": NOW}]
    rows += [
        {"id": f"{chain_id}{step}{cost}", "level": "request", "parent_id": run["id"], **own}
        | {"model": "m", "reserved": 50, "settled": cost, "settled_ms": NOW}
        for cost in (10, 20)
    ]
    tx.execute(reservations.insert(), rows)


def _seen(tx: Transaction, chain_id: str) -> tuple[Any, ...]:
    return (
        costs.cost_of(tx, chain_id),
        costs.cost_by_step(tx, chain_id),
        costs.spend(tx),
        costs.spent_since(tx, NOW - DAY),
        costs.spending(tx, "thread", "1:7", NOW - DAY)
        and sum(each.cost for each in costs.spending(tx, "thread", "1:7", NOW - DAY)),
    )


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
async def ended(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A review that ended well, one that failed, and a script's chain."""

    def make(tx: Transaction) -> None:
        _made(tx, "old", Verdict.findings)
        _made(tx, "failed", Verdict.failed)
        _made(tx, "script", Verdict.answered, scoped=False)

    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres")() if shared else f"sqlite:///{tmp_path}/a.sqlite"
    database = Database.open(url)
    migrations.upgrade(database.engine)
    await database.transact(make)
    yield database
    database.close()


async def test_it_costs_the_same_and_its_runs_are_told_as_before(ended: Database) -> None:
    def both(tx: Transaction) -> Any:
        return _seen(tx, "old"), tasks.of_chain(tx, "old"), tasks.of_chains(tx, ["old", "failed"])

    money, runs, several = await ended.read(both)
    assert money[0] == (30 * len(runs), False)
    assert await _trim(ended, NOW) == 0
    assert await _trim(ended, NOW + 1) == 3
    assert await _trim(ended, NOW + 1) == 0
    money_after, runs_after, several_after = await ended.read(both)
    assert money_after == money
    assert [_shown(each) for each in runs_after] == [_shown(each) for each in runs]
    assert several_after["failed"] == several["failed"]
    assert len(several_after["old"]) == len(runs)
    assert all(each.outcome["looked_at"] == READ for each in runs_after)
    of_one = await ended.read(lambda tx: tasks.of_chain(tx, "old", runs[-1].step))
    assert [each.id for each in of_one] == [runs[-1].id]


async def test_what_led_on_is_gone_and_the_end_stays(ended: Database) -> None:
    await _trim(ended, NOW + 1)
    chain = await ended.read(lambda tx: chains.get(tx, "old"))
    assert chain.results == {"brief": None, "find": None, "gather": {"of": "gather"}}
    rows = sa.select(sa.func.count()).select_from(reservations)
    counted = await ended.read(
        lambda tx: tx.execute(rows.where(reservations.c.chain_id == "old")).scalar_one()
    )
    assert counted == 2  # the chain's own, and the sum of its one step and model


@pytest.mark.parametrize("chain_id", ["failed", "script"])
async def test_what_may_go_on_and_what_a_script_asked_for_stay_whole(
    ended: Database, chain_id: str
) -> None:
    def whole(tx: Transaction) -> Any:
        chain = chains.get(tx, chain_id)
        count = sa.select(sa.func.count()).select_from(reservations)
        own = tx.execute(count.where(reservations.c.chain_id == chain_id)).scalar_one()
        goes_on = continuation.can_go_on(tx, chain)
        return chain.results, tasks.of_chain(tx, chain_id), own, goes_on

    before = await ended.read(whole)
    await _trim(ended, NOW + 1)
    assert await ended.read(whole) == before


async def test_a_chain_that_cannot_be_read_keeps_no_other_whole(ended: Database) -> None:
    """One whose plan another version wrote, and a row of an earlier version that stands for pruned ones."""

    def odd(tx: Transaction) -> None:
        chains.create(tx, "odd", REVIEW, account("1:7", "7", "1"), caps(task=1, chain=3), NOW - 5)
        chains.finish(tx, chains.get(tx, "odd"), Outcome(verdict=Verdict.findings), NOW - 5)
        own = chain_rows.update().where(chain_rows.c.id == "odd")
        tx.execute(own.values(plan={}))

    await ended.transact(odd)
    assert await _trim(ended, NOW + 1) == 4
    assert await _trim(ended, NOW + 1) == 0
    chain = await ended.read(lambda tx: chains.get(tx, "old"))
    assert chain.results["find"] is None


def test_a_run_that_ended_with_questions_keeps_them() -> None:
    host, agent = REVIEW.steps[:2]
    states = (StepState.completed, StepState.completed, StepState.completed, StepState.cancelled)
    records = [_record(str(place), state) for place, state in enumerate(states)]
    asked = on_the_way((host, agent, host, agent), records)
    assert [each.name for each in asked] == ["0", "1"]
    alone = on_the_way((agent,), [_record("0", StepState.completed)])
    assert alone == []
    assert on_the_way((host,), [_record("0", StepState.completed)]) == []


def _record(name: str, state: StepState) -> StepRow:
    return StepRow(
        id=name,
        name=name,
        state=state,
        result={"x": 1},
        rejections=(),
        work=None,
        started_ms=None,
        ended_ms=None,
    )


def _shown(task: tasks.TaskRow) -> Any:
    outcome = {"ending": task.outcome["ending"], "looked_at": task.outcome["looked_at"]}
    return task.id, task.step, task.title, task.state, task.attempt, task.ended_ms, outcome


async def _trim(database: Database, before_ms: int) -> int:
    return await database.transact(lambda tx: trim(tx, chains.MAIN, before_ms))
