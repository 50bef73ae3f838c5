"""Before a chain's first request to the model, what shows it stands on GitHub: for each chain, not once in a job."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.action.gate import Gate
from claude_pool_gh.github import inbox
from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.errors import ForgeRefused, GivenUp
from claude_pool_gh.pool.store import tables as pool_tables
from claude_pool_gh.rehearsal.github import Fault, Respond
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository
from tests.action.conftest import WRITE, Stage

SHOP = Repository(id=1, owner="octo", name="shop")
LOOK_SECONDS = 0.3


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        inbox.remember_repository(tx, SHOP)
    yield opened
    opened.close()


def task(tx: Transaction, name: str) -> None:
    """A task of a chain of that name."""
    values = {
        "id": f"{name}.t",
        "chain_id": name,
        "step": "s",
        "shard": 0,
        "title": "x",
        "state": "running",
        "attempt": 1,
        "model": "m",
        "created_ms": 0,
    }
    tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    tx.execute(pool_tables.chains.insert().values(**chain(name)))
    tx.execute(pool_tables.tasks.insert().values(**values))


def chain(name: str) -> dict[str, object]:
    return {
        "id": name,
        "pool": "p",
        "kind": "chain",
        "state": "running",
        "plan": {},
        "caps": {},
        "account": {},
        "priority": 0,
        "place": 0,
        "created_ms": 0,
        "cancel_requested": False,
        "generation": 0,
    }


def want(tx: Transaction, body: str) -> None:
    rows.want(tx, "comment:1:1:review", SHOP, Comment(number=1, body=body), 0)


def take(tx: Transaction) -> None:
    """GitHub has taken the comment as it is wanted now."""
    row = rows.next_due(tx, 0, 10**15)
    assert isinstance(row, rows.EffectRow)
    rows.written(tx, row, 77, 0)


def opened_gate(tmp_path: Path) -> tuple[Gate, list[str]]:
    (tmp_path / "agent.installed").touch()
    done: list[str] = []

    async def before() -> bool:
        done.append("before")
        return True

    return Gate(tmp_path, before), done


async def test_each_chain_waits_for_what_shows_it(database: Database, tmp_path: Path) -> None:
    gate, done = opened_gate(tmp_path)
    with database.engine.begin() as tx:
        task(tx, "first")
        want(tx, "the first runs")
        take(tx)
    assert await gate.wait(database, "first.t", asyncio.Event())
    with database.engine.begin() as tx:
        task(tx, "second")
        want(tx, "the second runs")  # in the comment that stands already
    waiting = asyncio.create_task(gate.wait(database, "second.t", asyncio.Event()))
    await asyncio.sleep(LOOK_SECONDS)
    assert not waiting.done()
    assert (gate.passed, done) == ({"first"}, ["before"])
    with database.engine.begin() as tx:
        take(tx)
    assert await waiting
    assert (gate.passed, done) == ({"first", "second"}, ["before", "before"])
    assert await gate.wait(database, "first.t", asyncio.Event())
    assert len(done) == 2, "a chain passes once"


async def test_where_github_refuses_to_show_one_no_further_chain_passes(
    database: Database, tmp_path: Path
) -> None:
    gate, _ = opened_gate(tmp_path)
    with database.engine.begin() as tx:
        for name in ("first", "second"):
            task(tx, name)
    assert await gate.wait(database, "first.t", asyncio.Event())
    with database.engine.begin() as tx:
        want(tx, "the second runs")
        row = rows.next_due(tx, 0, 10**15)
    assert isinstance(row, rows.EffectRow)
    gate.refused(row, ForgeRefused(403, "Resource not accessible by integration"))
    stop = asyncio.Event()
    waiting = asyncio.create_task(gate.wait(database, "second.t", stop))
    await asyncio.sleep(LOOK_SECONDS)
    assert gate.is_shut
    assert await gate.wait(database, "first.t", asyncio.Event()), (
        "the control: it was let through before"
    )
    stop.set()
    assert not await waiting


async def test_what_could_not_be_written_is_shown_to_nobody_and_no_chain_passes(
    database: Database, tmp_path: Path
) -> None:
    """Also where it was not GitHub that refused it: a filter in between, an error of our own."""
    gate, done = opened_gate(tmp_path)
    with database.engine.begin() as tx:
        task(tx, "first")
        want(tx, "the first runs")
    stop = asyncio.Event()
    waiting = asyncio.create_task(gate.wait(database, "first.t", stop))
    await asyncio.sleep(LOOK_SECONDS)
    with database.engine.begin() as tx:
        row = rows.next_due(tx, 0, 10**15)
        assert isinstance(row, rows.EffectRow)
        rows.refused(tx, row, "something in between refuses it")
    await asyncio.sleep(LOOK_SECONDS)
    assert done == [], "it does not stand, whoever has heard of it"
    gate.refused(row, GivenUp("something in between refuses it"))
    assert gate.is_shut
    (told,) = gate.refusals
    assert (
        told.advice
        == "The comment that shows the run could not be written: something in between refuses it."
    )
    stop.set()
    assert not await waiting


@pytest.mark.long
async def test_a_second_command_that_cannot_be_shown_spends_nothing(scene: Stage) -> None:
    fault = Fault(
        Respond(403, "Resource not accessible by integration"),
        method="POST",
        route="/repos/{owner}/{repo}/issues/{issue_number}/comments",
        times=99,
        skip=1,
    )
    scene.github.faults.add(fault)
    inputs = {"budget_usd": "6", "slots": "1"}
    done = await scene.say(
        "/pool review\n/pool ask what does it do", permissions=WRITE, inputs=inputs
    )
    assert fault.hits > 0
    assert done.outputs["outcome"] == "not_posted", done.log
    asked = [
        each for each in scene.model.requests if "You answer a question" in each.system + each.text
    ]
    assert asked == []
