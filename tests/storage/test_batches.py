"""Many transactions that wait for the writing thread are committed together, and each is still its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.batches import LEAST, MOST

MANY = 200


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    await made.transact(lambda tx: tx.exec_driver_sql("CREATE TABLE t (n INTEGER UNIQUE)").close())
    yield made
    made.close()


class Commits:
    """Counts a database's commits, and holds its writing thread until it is let go."""

    def __init__(self, database: Database) -> None:
        self.count, self.go_on = 0, threading.Event()
        sa.event.listen(database.engine, "commit", self._note)
        self.held = asyncio.create_task(database.transact(lambda _tx: self.go_on.wait(60)))

    def _note(self, _connection: sa.Connection) -> None:
        self.count += 1


def insert(number: int) -> Callable[[Transaction], int]:
    def work(tx: Transaction) -> int:
        tx.exec_driver_sql("INSERT INTO t VALUES (?)", (number,))
        return number

    return work


async def gathered(database: Database, numbers: list[int]) -> list[object]:
    """What comes of so many inserts that are wanted while the thread is held."""
    commits = Commits(database)
    await asyncio.sleep(0.05)
    wanted = [asyncio.create_task(database.transact(insert(each))) for each in numbers]
    await asyncio.sleep(0.05)
    commits.go_on.set()
    found: list[object] = list(await asyncio.gather(*wanted, return_exceptions=True))
    await commits.held
    found.append(commits.count)
    return found


def stored(database: Database) -> list[int]:
    with closing(sqlite3.connect(database.engine.url.database or "")) as rows:
        return [n for (n,) in rows.execute("SELECT n FROM t ORDER BY n")]


async def test_many_that_wait_take_a_few_commits_and_each_has_its_answer(
    database: Database,
) -> None:
    *answers, commits = await gathered(database, list(range(MANY)))
    assert answers == list(range(MANY))
    assert stored(database) == list(range(MANY))
    assert isinstance(commits, int)
    assert commits <= MANY // MOST + LEAST + 2


async def test_one_that_fails_fails_alone_and_every_other_is_made_once(database: Database) -> None:
    numbers = [*range(20), 7, *range(20, 40)]
    *answers, _ = await gathered(database, numbers)
    failed = [each for each in answers if isinstance(each, BaseException)]
    assert len(failed) == 1
    assert isinstance(failed[0], sa.exc.IntegrityError)
    assert [each for each in answers if not isinstance(each, BaseException)] == list(range(40))
    assert stored(database) == list(range(40))


async def test_one_that_is_cancelled_before_its_turn_is_not_made(database: Database) -> None:
    commits = Commits(database)
    await asyncio.sleep(0.05)
    wanted = [asyncio.create_task(database.transact(insert(each))) for each in range(20)]
    await asyncio.sleep(0.05)
    wanted[3].cancel()
    await asyncio.sleep(0.05)
    commits.go_on.set()
    found = await asyncio.gather(*wanted, return_exceptions=True)
    await commits.held
    assert isinstance(found[3], asyncio.CancelledError)
    assert stored(database) == [each for each in range(20) if each != 3]


async def test_a_few_are_made_one_by_one(database: Database) -> None:
    *answers, commits = await gathered(database, list(range(LEAST - 2)))
    assert answers == list(range(LEAST - 2))
    assert commits == LEAST - 2 + 1


async def test_a_lock_that_passes_is_waited_for_by_all_of_them(
    database: Database, tmp_path: Path
) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=20")
    sa.event.listen(
        database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=20")
    )
    database.engine.dispose()
    holder = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None, timeout=30)
    holder.execute("BEGIN IMMEDIATE")
    wanted = [asyncio.create_task(database.transact(insert(each))) for each in range(30)]
    await asyncio.sleep(0.3)
    assert not any(each.done() for each in wanted)
    holder.close()
    assert await asyncio.gather(*wanted) == list(range(30))
    assert stored(database) == list(range(30))
