"""The small parts: what is deleted piece by piece, why a row is there, settings of a server, errors in words."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction, migrations, probe, server_settings
from claude_pool_gh.storage.causes import acting_for, cause
from claude_pool_gh.storage.errors import reason
from claude_pool_gh.storage.piecemeal import Kind, delete_all
from claude_pool_gh.storage.receipts import Receipt, Receipts, receipts

# ---- piece by piece


class Rows:
    """So many rows of each kind, of which a step deletes a few."""

    def __init__(self, **left: int) -> None:
        self.left, self.steps = left, list[str]()

    def kind(self, name: str) -> Kind:
        def step(_tx: Transaction) -> int:
            self.steps.append(name)
            some = min(self.left[name], 3)
            self.left[name] -= some
            return some

        return Kind(name, step)

    async def deleted(self, *names: str, pause: float = 0.0) -> dict[str, int]:
        async def transact(step: Callable[[Transaction], int]) -> int:
            return step(None)  # type: ignore[arg-type]

        return dict(await delete_all(transact, [self.kind(each) for each in names], pause))


async def test_each_kind_is_deleted_to_its_end_before_the_next_begins() -> None:
    rows = Rows(a=7, b=0, c=3)
    assert await rows.deleted("a", "b", "c") == {"a": 7, "c": 3}
    assert rows.steps == ["a", "a", "a", "a", "b", "c", "c"]
    assert set(rows.left.values()) == {0}


async def test_two_kinds_of_one_name_are_counted_together() -> None:
    rows = Rows(a=4)
    first = await rows.deleted("a")
    rows.left["a"] = 2
    assert (first, await rows.deleted("a", "a")) == ({"a": 4}, {"a": 2})


async def test_others_have_their_turn_after_each_piece() -> None:
    rows, turns = Rows(a=9), list[int]()

    async def others() -> None:
        while True:
            turns.append(rows.left["a"])
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await rows.deleted("a")
    task.cancel()
    assert {9, 6, 3} - set(turns) <= {9}


# ---- why a row is there


def test_a_cause_is_that_of_the_innermost_block_and_ends_with_it() -> None:
    def fail() -> None:
        with acting_for("chain:b"):
            assert cause() == "chain:b"
            raise ValueError("x")

    assert cause() is None
    with acting_for("chain:a"):
        with pytest.raises(ValueError, match="x"):
            fail()
        assert cause() == "chain:a"
    assert cause() is None


async def test_a_cause_is_not_that_of_another_task_or_thread() -> None:
    inside, begun = asyncio.Event(), asyncio.Event()

    async def other() -> str | None:
        begun.set()
        await inside.wait()
        return cause()

    task = asyncio.create_task(other())
    await begun.wait()
    with acting_for("chain:a"):
        inside.set()
        assert await task is None
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(cause).result() is None


# ---- settings of a server


async def test_the_settings_are_those_of_the_server_that_started_last() -> None:
    database = Database.temporary()
    assert await server_settings.read(database) == {}, "no version of it has opened this one"
    migrations.upgrade(database.engine)
    some: list[dict[str, str]] = [{"a": "1", "b": "2"}, {"b": "3"}, {}]
    for settings in some:
        await database.transact(partial(server_settings.write, settings=settings))
        assert await server_settings.read(database) == settings
    database.close()


# ---- does it take a write


async def test_whether_a_write_is_taken_is_asked_without_leaving_more_than_one_row() -> None:
    database = Database.temporary()
    migrations.upgrade(database.engine)
    for _ in range(2):
        await database.transact(probe.writes)
    count = sa.select(sa.func.count()).where(receipts.c.writer == "probe")
    assert await database.read(lambda tx: tx.execute(count).scalar_one()) == 1
    query_only = "PRAGMA query_only = ON"
    await database.read(lambda tx: tx.exec_driver_sql(query_only))
    with pytest.raises(sa.exc.OperationalError, match="readonly"):
        await database.transact(probe.writes)
    database.close()


# ---- receipts


def test_a_receipts_row_is_used_by_one_at_a_time_and_again_afterwards() -> None:
    made = Receipts("sqlite")
    one, two = made.new(), made.new()
    assert one.writer != two.writer
    assert (one.number, two.number) == (1, 2)
    made.done(one)
    assert made.new() == Receipt(one.writer, 3), "the row is free, its number is another"
    assert made.new().writer not in (one.writer, two.writer)
    assert Receipts("sqlite").new().writer not in (one.writer, two.writer)


# ---- errors


def wrapped(orig: Any) -> sa.exc.DBAPIError:
    return sa.exc.OperationalError("SELECT secrets", {"password": "s3cret"}, orig)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (wrapped(sqlite3.OperationalError("disk I/O error")), "disk I/O error"),
        (wrapped(Exception("\nfirst line\nDETAIL: second")), "first line"),
        (sa.exc.TimeoutError("QueuePool limit"), "TimeoutError"),
        (sa.exc.NoResultFound("No row was found"), "NoResultFound"),
    ],
)
def test_an_error_is_told_in_the_databases_first_sentence(
    error: sa.exc.SQLAlchemyError, told: str
) -> None:
    assert reason(error) == told
