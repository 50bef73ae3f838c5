"""Transactions that fail of what passes: run again, committed once. On both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from claude_pool_gh.storage import Database, Retries, Transaction, migrations, passes, retried
from claude_pool_gh.storage.receipts import Receipt, Receipts, receipts
from tests.patience import PATIENCE
from tests.storage.flaky import Flaky, When

SOON = Retries(seconds=60.0, first_delay=0.001, longest_delay=0.01)
BRIEFLY = Retries(seconds=0.05, first_delay=0.001, longest_delay=0.01)
GUARD = PATIENCE
NUMBERS = "SELECT value FROM numbers ORDER BY value"

Opened = Callable[[Retries], Database]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/x.sqlite"
    return str(request.getfixturevalue("postgres")())


@pytest.fixture
def opened(url: str) -> Iterator[Opened]:
    every: list[Database] = []

    def open_(retries: Retries) -> Database:
        database = Database.open(url, retries=retries)
        every.append(database)
        migrations.upgrade(database.engine)
        with database.engine.begin() as tx:
            tx.exec_driver_sql("CREATE TABLE IF NOT EXISTS numbers (value INTEGER PRIMARY KEY)")
        return database

    yield open_
    for database in every:
        database.close()


class Add:
    """A transaction that is not to be done twice: it adds the next number."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, tx: Transaction) -> int:
        self.runs += 1
        values = every(tx)
        new = len(values) + 1
        tx.exec_driver_sql(f"INSERT INTO numbers VALUES ({new})")  # noqa: S608 - a number
        return new


def every(tx: Transaction) -> list[int]:
    return list(tx.exec_driver_sql(NUMBERS).scalars())


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("when", When)
async def test_a_commit_that_fails_is_made_once(opened: Opened, when: When, times: int) -> None:
    database = opened(SOON)
    flaky = Flaky(database, at="numbers#2", when=when, times=times)
    add = Add()
    assert [await database.transact(add) for _ in range(3)] == [1, 2, 3], "each learns what it did"
    assert await database.read(every) == [1, 2, 3]
    assert flaky.failed == (times if when is When.before else 1)
    assert add.runs == 3 + (times if when is When.before else 0), (
        "what was committed does not run again"
    )


class Forgetful(Receipts):
    """Finds no receipt."""

    def stands(self, tx: Transaction, receipt: Receipt) -> bool:  # noqa: ARG002
        return False


async def test_without_its_receipt_a_transaction_would_be_made_twice(opened: Opened) -> None:
    """What the test above would see if receipts did not work."""
    database = opened(SOON)
    database._receipts = Forgetful(database.engine.dialect.name)
    Flaky(database, at="numbers#1", when=When.after)
    assert await database.transact(Add()) == 2
    assert await database.read(every) == [1, 2]


@pytest.mark.parametrize("when", When)
async def test_transactions_beside_each_other_have_receipts_of_their_own(
    opened: Opened, when: When
) -> None:
    database = opened(SOON)
    Flaky(database, at="numbers#3", when=when)

    def one(tx: Transaction, value: int) -> int:
        tx.exec_driver_sql(f"INSERT INTO numbers VALUES ({value})")  # noqa: S608 - a number
        return value

    asked = [database.transact(lambda tx, value=value: one(tx, value)) for value in range(40)]  # type: ignore[misc]
    assert await asyncio.wait_for(asyncio.gather(*asked), GUARD) == list(range(40))
    assert await database.read(every) == list(range(40))


async def test_receipts_do_not_pile_up_and_what_writes_nothing_leaves_none(opened: Opened) -> None:
    database = opened(SOON)
    count = sa.select(sa.func.count()).select_from(receipts)
    await database.transact(every)
    assert await database.read(lambda tx: tx.execute(count).scalar_one()) == 0
    add = Add()
    for _ in range(5):
        await database.transact(add)
    assert await database.read(lambda tx: tx.execute(count).scalar_one()) == 1
    with database.engine.begin() as tx:
        tx.execute(receipts.update().values(written_ms=1))
    await opened(SOON).transact(add)  # another process, later
    kept = await database.read(
        lambda tx: list(tx.execute(sa.select(receipts.c.written_ms)).scalars())
    )
    assert len(kept) == 1
    assert kept[0] > 1


async def test_a_database_that_is_away_is_waited_for(opened: Opened) -> None:
    database = opened(SOON)
    flaky = Flaky(database, away=True)
    both = asyncio.gather(database.transact(Add()), database.read(lambda tx: len(every(tx)) < 2))
    async with asyncio.timeout(GUARD):
        while flaky.refused < 6:
            await asyncio.sleep(0.001)
    flaky.away = False
    assert tuple(await asyncio.wait_for(both, GUARD)) == (1, True)


async def test_in_the_end_the_caller_is_told_unless_it_waits_forever(opened: Opened) -> None:
    database = opened(BRIEFLY)
    flaky = Flaky(database, away=True)
    for ask in (database.transact, database.read):
        with pytest.raises(sa.exc.OperationalError):
            await asyncio.wait_for(ask(Add()), GUARD)
    before = flaky.refused
    waits = asyncio.create_task(database.transact(Add(), forever=True))
    async with asyncio.timeout(GUARD):
        while flaky.refused < before + 20:
            await asyncio.sleep(0.001)
    assert not waits.done()
    flaky.away = False
    assert await asyncio.wait_for(waits, GUARD) == 1


async def test_faults_of_the_program_and_of_the_data_are_raised_at_once(opened: Opened) -> None:
    database = opened(SOON)
    await database.transact(Add())
    wrong: list[tuple[str, type[Exception]]] = [
        ("INSERT INTO numbers VALUES (1)", sa.exc.IntegrityError),
        ("SELECT nothing FROM nowhere", sa.exc.DBAPIError),
        ("SELECT FROM WHERE", sa.exc.DBAPIError),
    ]
    for statement, error in wrong:
        runs: list[int] = []

        def work(tx: Transaction, runs: list[int] = runs, statement: str = statement) -> None:
            runs.append(1)
            tx.exec_driver_sql(statement)

        for ask in (database.transact, database.read):
            with pytest.raises(error):
                await asyncio.wait_for(ask(work), GUARD)
        assert len(runs) == 2, statement

    def own(_tx: Transaction) -> None:
        raise OSError("no error of the database's")

    with pytest.raises(OSError, match="no error of"):
        await asyncio.wait_for(database.transact(own), GUARD)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_lock_that_another_holds_is_waited_for(opened: Opened) -> None:
    database = opened(SOON)
    # what the pool hands out next does not wait by itself
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other = opened(SOON)
    with other.engine.connect().execution_options(begin_statement="BEGIN IMMEDIATE") as held:
        with held.begin():
            waits = asyncio.create_task(database.transact(Add()))
            await asyncio.sleep(0.1)
            assert not waits.done()
        assert await asyncio.wait_for(waits, GUARD) == 1


@pytest.mark.long
async def test_deadlocks_and_lost_sessions_are_nobodys_trouble(postgres: Callable[[], str]) -> None:
    database = Database.open(postgres(), retries=SOON)
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE numbers (value INTEGER PRIMARY KEY, count INTEGER)")
        tx.exec_driver_sql("INSERT INTO numbers VALUES (1, 0), (2, 0)")
    runs: list[tuple[int, ...]] = []

    def work(tx: Transaction, order: tuple[int, ...]) -> None:
        runs.append(order)
        for value in order:
            tx.exec_driver_sql(f"UPDATE numbers SET count = count + 1 WHERE value = {value}")  # noqa: S608
            tx.exec_driver_sql("SELECT pg_sleep(0.3)")

    orders = ((1, 2), (2, 1))
    both = asyncio.gather(*(database.transact(partial(work, order=order)) for order in orders))
    await asyncio.wait_for(both, GUARD)
    assert len(runs) > 2, "one of them was the victim of a deadlock"
    mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
    ends = asyncio.create_task(database.transact(lambda tx: work(tx, (1,))))
    await asyncio.sleep(0.1)
    await database.read(lambda tx: tx.exec_driver_sql(mine + "pg_backend_pid()"))
    await asyncio.wait_for(ends, GUARD)
    counts = await database.read(
        lambda tx: list(tx.exec_driver_sql("SELECT count FROM numbers ORDER BY value").scalars())
    )
    assert counts == [3, 2]
    database.close()


@pytest.mark.long
@pytest.mark.parametrize("committed", [True, False])
async def test_a_commit_that_the_server_is_still_at_is_waited_for(
    postgres: Callable[[], str], *, committed: bool
) -> None:
    """The connection is lost while the server commits: who looked too early would take it for not committed."""
    database = Database.open(postgres(), retries=SOON)
    migrations.upgrade(database.engine)
    await database.transact(
        lambda tx: tx.execute(receipts.insert().values(writer="x", number=1, written_ms=1))
    )
    mine = database._receipts.new()

    def look() -> bool:
        with database.engine.begin() as tx:
            return database._receipts.stands(tx, mine)

    with database.engine.connect() as session:
        transaction = session.begin()
        session.exec_driver_sql("SELECT txid_current()")
        database._receipts.write(session, mine)
        looks = asyncio.create_task(asyncio.to_thread(look))
        await asyncio.sleep(0.3)
        assert not looks.done()
        transaction.commit() if committed else transaction.rollback()
    assert await asyncio.wait_for(looks, GUARD) is committed
    database.close()


def _sqlite(code: int) -> sa.exc.DBAPIError:
    error = sqlite3.OperationalError("so it says")
    error.sqlite_errorcode = code
    return sa.exc.OperationalError("COMMIT", {}, error)


def _postgresql(error: psycopg.Error) -> sa.exc.DBAPIError:
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    wrapped = sa.exc.DBAPIError.instance("COMMIT", {}, error, psycopg.Error, dialect=dialect)
    assert isinstance(wrapped, sa.exc.DBAPIError)
    return wrapped


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), True),
        (_sqlite(sqlite3.SQLITE_IOERR_FSYNC), True),
        (_sqlite(sqlite3.SQLITE_FULL), True),
        (_sqlite(sqlite3.SQLITE_ERROR), False),
        (_sqlite(sqlite3.SQLITE_CORRUPT), False),
        (_postgresql(psycopg.OperationalError("the connection is lost")), True),
        (_postgresql(psycopg.InterfaceError("the connection is closed")), True),
        (_postgresql(psycopg.errors.AdminShutdown("57P01")), True),
        (_postgresql(psycopg.errors.SerializationFailure("40001")), True),
        (_postgresql(psycopg.errors.DeadlockDetected("40P01")), True),
        (_postgresql(psycopg.errors.TooManyConnections("53300")), True),
        (_postgresql(psycopg.errors.ReadOnlySqlTransaction("25006")), True),
        (_postgresql(psycopg.errors.InvalidPassword("28P01")), False),
        (_postgresql(psycopg.errors.QueryCanceled("57014")), False),
        (_postgresql(psycopg.errors.UndefinedTable("42P01")), False),
        (_postgresql(psycopg.errors.UniqueViolation("23505")), False),
        (sa.exc.ProgrammingError("SELECT", {}, Exception(), connection_invalidated=True), True),
        (sa.exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError()), False),
        (ValueError(), False),
        (OSError(), False),
        (asyncio.CancelledError(), False),
    ],
)
def test_which_errors_pass(error: BaseException, *, expected: bool) -> None:
    assert passes(error) is expected


async def test_waiting_without_a_limit_outlasts_every_round_and_a_host_that_switched_waiting_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`stamina` counts powers of two, which overflow at its 1,024th try, and a host program can switch it off."""
    import stamina  # noqa: PLC0415

    monkeypatch.setattr("claude_pool_gh.storage.retries._ROUND_SECONDS", 0.02)
    tries = 0

    async def again() -> str:
        nonlocal tries
        tries += 1
        if tries < 30:
            raise OSError("away")
        return "back"

    for active in (True, False):
        tries = 0
        stamina.set_active(active)
        try:
            waiting = retried(
                again,
                OSError("away"),
                on=lambda e: isinstance(e, OSError),
                first_delay=0.001,
                longest_delay=0.002,
            )
            assert await asyncio.wait_for(waiting, 60) == "back"
        finally:
            stamina.set_active(True)


async def test_threads_with_loops_of_their_own_share_a_temporary_database_one_at_a_time() -> None:
    database = Database.temporary()
    await database.transact(lambda tx: tx.exec_driver_sql("CREATE TABLE t (n INTEGER)"))

    async def write() -> None:
        for _ in range(50):
            await database.transact(lambda tx: tx.exec_driver_sql("INSERT INTO t VALUES (1)"))

    await asyncio.gather(*(asyncio.to_thread(lambda: asyncio.run(write())) for _ in range(6)))
    assert (
        await database.read(lambda tx: tx.exec_driver_sql("SELECT count(*) FROM t").scalar_one())
        == 300
    )
    database.close()
