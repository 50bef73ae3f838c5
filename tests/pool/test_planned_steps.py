"""The steps of plans are kept once, however many chains have them, for as long as any has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.plan import AgentRun, Plan
from claude_pool_gh.pool.store import chains, planned_steps
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import planned_steps as step_rows
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.pool.make import DAY, NOW, account, caps, plan
from tests.storage import old

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {f"field_{number}": {"type": "string"} for number in range(60)},
}


def long_plan(verb: str = "review", prompt: str = "Look at {steps.brief.diff}. " * 100) -> Plan:
    """A plan with as much text as that of a review."""
    find = AgentRun(name="find", prompt=prompt, overrides=TaskOverrides(json_schema=SCHEMA))
    return plan(verb).model_copy(
        update={"steps": (plan().steps[0], find), "context": {"line": verb}}
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    shared = request.param == "postgresql"
    url = request.getfixturevalue("postgres")() if shared else f"sqlite:///{tmp_path}/a.sqlite"
    opened = Database.open(url)
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def make(tx: Transaction, name: str, of: Plan, now_ms: int = NOW) -> None:
    assert chains.create(
        tx, name, of, account(name), caps(user_day=None, repository_month=None), now_ms
    )


def kept(tx: Transaction) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(step_rows)).scalar_one())


def test_chains_with_the_same_steps_share_them_and_each_reads_its_own_plan(
    either: Database,
) -> None:
    plans = {"a": long_plan(), "b": long_plan("ask"), "c": long_plan(prompt="Other. " * 200)}
    plans["short"] = plan()
    with either.engine.begin() as tx:
        for name, each in plans.items():
            make(tx, name, each)
        assert kept(tx) == 2, "a and b have the same ones, and short ones stand in their plan"
        for name, each in plans.items():
            assert chains.get(tx, name).plan == each
        assert {name: row.plan for name, row in chains.several(tx, plans).items()} == plans


def test_steps_are_deleted_once_no_chain_has_them_and_none_was_made_of_late(
    either: Database,
) -> None:
    with either.engine.begin() as tx:
        make(tx, "a", long_plan(prompt="A. " * 500))
        make(tx, "b", long_plan(prompt="B. " * 500))
        for table in ("reservations", "steps", "chain_scopes"):
            tx.execute(sa.text(f"DELETE FROM {table} WHERE chain_id = 'b'"))  # noqa: S608
        tx.execute(chain_rows.delete().where(chain_rows.c.id == "b"))
        assert planned_steps.forget_unused(tx, NOW + 1_000) == 0, "a chain may be in the making"
        assert planned_steps.forget_unused(tx, NOW + 2 * DAY) == 1
        assert planned_steps.forget_unused(tx, NOW + 2 * DAY) == 0
        assert chains.get(tx, "a").plan == long_plan(prompt="A. " * 500)


def test_steps_that_are_used_again_are_kept_from_then_on(either: Database) -> None:
    with either.engine.begin() as tx:
        make(tx, "a", long_plan(), NOW)
        make(tx, "b", long_plan(), NOW + 10 * DAY)
        (used,) = tx.execute(sa.select(step_rows.c.used_ms)).scalars()
    assert used == NOW + 10 * DAY


def test_a_chain_of_an_earlier_version_has_its_steps_in_its_plan(either: Database) -> None:
    with either.engine.begin() as tx:
        make(tx, "a", long_plan())
        whole = json.loads(long_plan().model_dump_json())
        values = {"plan": whole, "steps_digest": None}
        tx.execute(chain_rows.update().where(chain_rows.c.id == "a").values(**values))
        assert chains.get(tx, "a").plan == long_plan()


def test_an_older_database_is_migrated_with_its_plans_where_they_are(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    old.migrate(database, "0007")
    with database.engine.begin() as tx:
        old.chain(tx, "a", long_plan())
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        assert chains.get(tx, "a").plan == long_plan()
        make(tx, "b", long_plan())
        assert chains.get(tx, "b").plan == long_plan()
    database.close()


def test_a_hundred_chains_of_one_recipe_take_little_more_than_their_own_facts(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.sqlite"
    database = Database.open(f"sqlite:///{file}")
    migrations.upgrade(database.engine)
    text = long_plan().model_dump_json()
    assert len(text) > 5_000
    with database.engine.begin() as tx:
        for number in range(100):
            make(tx, f"chain-{number}", long_plan())
    database.close()
    with closing(sqlite3.connect(file)) as rows:
        (size,) = rows.execute("SELECT sum(pgsize) FROM dbstat WHERE name = 'chains'").fetchone()
    assert size / 100 < 1_500
