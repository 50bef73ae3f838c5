"""Transactions on SQLite and what an error in one leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction


async def test_an_error_in_the_middle_of_reading_does_not_keep_others_from_writing(tmp_path: Path) -> None:
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
