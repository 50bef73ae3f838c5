"""Transactions on SQLite and what an error in one leaves behind."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.storage import Database, Transaction
from tests.pool.puppet import Puppet


async def test_an_error_in_the_middle_of_reading_does_not_keep_others_from_writing(
    tmp_path: Path,
) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    other = Database.open(f"sqlite:///{tmp_path}/x.sqlite")
    numbers = sa.text("SELECT value FROM numbers")

    def make(tx: Transaction) -> None:
        tx.exec_driver_sql("CREATE TABLE numbers (value INTEGER)")
        tx.exec_driver_sql("INSERT INTO numbers VALUES (1), (2), (3)")

    def fail(tx: Transaction) -> None:
        rows = iter(tx.execute(numbers))
        next(rows)
        raise ValueError(rows)

    def add(tx: Transaction) -> None:
        tx.exec_driver_sql("INSERT INTO numbers VALUES (4)")

    await database.transact(make)
    held = []  # somebody keeps the error, as a log or a report does
    for work in (database.read, database.read, database.transact):
        with pytest.raises(ValueError, match="object") as error:
            await work(fail)
        held.append(error.value)
        await other.transact(add)
        await database.transact(add)
    assert await database.read(lambda tx: len(tx.execute(numbers).all())) == 9
    database.close()
    other.close()


async def test_a_temporary_database_is_synced_to_no_disk_and_lies_in_no_file() -> None:
    database = Database.temporary()
    names = ("synchronous", "journal_mode")
    pragmas = {name: await database.read(partial(_pragma, name=name)) for name in names}
    assert pragmas == {"synchronous": 0, "journal_mode": "memory"}
    assert await database.read(partial(_pragma, name="database_list")) == 0, (
        "main lies in no named file"
    )
    database.close()


async def test_a_pool_without_state_syncs_nothing_and_one_with_state_everything(
    tmp_path: Path,
) -> None:
    async def synchronous(**more: Any) -> Any:
        async with Pool.open(Puppet(), **more) as pool:
            return await pool.database.read(partial(_pragma, name="synchronous"))

    assert await synchronous() == 0  # OFF
    assert await synchronous(state=tmp_path / "state") == 2  # FULL
    assert await synchronous(store=f"sqlite:///{tmp_path}/own.sqlite") == 2


async def test_a_temporary_database_rolls_back_what_failed_and_goes_on() -> None:
    database = Database.temporary()
    await database.transact(lambda tx: tx.exec_driver_sql("CREATE TABLE numbers (value INTEGER)"))

    def fail(tx: Transaction) -> None:
        tx.exec_driver_sql("INSERT INTO numbers VALUES (1), (2), (3)")
        rows = iter(tx.execute(sa.text("SELECT value FROM numbers")))
        next(rows)
        raise ValueError(rows)

    for work in (database.transact, database.read, database.transact):
        with pytest.raises(ValueError, match="object"):
            await work(fail)
        await database.transact(lambda tx: tx.exec_driver_sql("INSERT INTO numbers VALUES (4)"))
    count = sa.text("SELECT count(*) FROM numbers")
    assert await database.read(lambda tx: tx.execute(count).scalar_one()) == 3
    database.close()


async def test_whoever_asks_a_temporary_database_again_and_again_lets_others_have_their_turn() -> (
    None
):
    database, turns = Database.temporary(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(other())
    for _ in range(10):
        await database.read(lambda _tx: None)
    beside.cancel()
    assert turns >= 9
    database.close()


def _pragma(tx: Transaction, name: str) -> Any:
    value = tx.exec_driver_sql(f"PRAGMA {name}").all()
    return len(value[0][-1] or "") if name == "database_list" else value[0][0]
