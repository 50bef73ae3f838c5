"""What was said in a thread is said once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.findings import tables
from claude_pool_gh.storage import Database, migrations
from tests.findings.make import finding


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


async def test_a_finding_is_remembered_once_for_each_thread(database: Database) -> None:
    first, moved, other = finding(), finding(start_line=90, end_line=90), finding(evidence="other")
    await database.transact(lambda tx: tables.remember(tx, "1:7", "c1", [first], 1))
    await database.transact(lambda tx: tables.remember(tx, "1:7", "c2", [moved, other], 2))
    await database.transact(lambda tx: tables.remember(tx, "1:8", "c3", [moved], 3))
    assert await database.read(lambda tx: tables.known(tx, "1:7", "open")) == [first, other]
    assert await database.read(lambda tx: tables.known(tx, "1:8", "open")) == [moved]
    assert await database.read(lambda tx: tables.known(tx, "1:7", "dismissed")) == []


async def test_the_last_reviewed_commit_is_the_newest(database: Database) -> None:
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None
    await database.transact(lambda tx: tables.set_reviewed(tx, "1:7", "a" * 40, "c1"))
    await database.transact(lambda tx: tables.set_reviewed(tx, "1:7", "b" * 40, "c2"))
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:7")) == "b" * 40
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:8")) is None
