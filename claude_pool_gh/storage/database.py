"""SQLite or PostgreSQL behind one call: `await database.transact(work)`.

A transaction is a plain function of a connection. It runs whole in a worker thread and is committed when it
returns, so no transaction ever stays open across an `await`, and a kill leaves either all of it or nothing. It acts on
nothing outside of the database, so it can run again: errors that pass are waited for, see `Database.transact`. In a
temporary database it runs where it was asked for: there is no disk to wait for.
"""

from __future__ import annotations

import asyncio
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from sqlite3 import Error, connect
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from claude_pool_gh.extras import extras_named
from claude_pool_gh.storage.batches import Batches, Together
from claude_pool_gh.storage.connections import (
    BEGUN,
    SNAPSHOT,
    WRITING,
    Connections,
    QuickConnection,
    as_sqlalchemy,
)
from claude_pool_gh.storage.prepared import Statements
from claude_pool_gh.storage.private import private_file, private_folder
from claude_pool_gh.storage.receipts import Receipt, Receipts
from claude_pool_gh.storage.retries import Retries, passes, retried

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

Transaction = sa.Connection
"""What a package's functions take as their first argument."""

T = TypeVar("T")

_LOCK: Final = sa.select(
    sa.func.pg_advisory_xact_lock(sa.bindparam("subject", type_=sa.BigInteger))
)

_POSTGRES_THREADS: Final = 8
_POSTGRES_SETTINGS: Final = {
    # What a process holds that was paused or has vanished with its machine must not hold up all others for hours.
    "idle_in_transaction_session_timeout": 10_000,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
_BUSY_MILLISECONDS: Final = 30_000
_NOTICE_A_LOST_SERVER: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that is cut off says nothing: without these a transaction would wait for it for hours."""


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    """One transaction, in however many tries."""

    work: Callable[[Transaction], T]
    begin: str
    writes: bool
    """Whether the answer to its commit may be lost: in a temporary database there is none to wait for."""
    receipt: Receipt | None = None
    answer: T | None = None
    in_doubt: bool = False
    """It ran to its end, and whether that was committed is not known."""


class Database:
    """One open database.

    SQLite gets a single writing thread, since a second writer would only wait for the file's lock; many transactions
    that wait for it are committed together. Reads are beside it on threads of their own (WAL lets them). PostgreSQL
    gets a small pool for both. A temporary database has one connection and no thread.
    """

    def __init__(self, engine: sa.Engine, retries: Retries | None = None) -> None:
        self.engine, self.retries = engine, retries or Retries()
        self._receipts = Receipts(engine.dialect.name)
        self._connections = Connections(engine, Statements(engine.dialect))
        self._alone = threading.Lock()
        self._batches: Batches[_Call[Any]] | None = None
        self._writers: ThreadPoolExecutor | None
        self._readers: ThreadPoolExecutor | None
        if _is_temporary(engine.url):
            self._writers = self._readers = None
        elif engine.dialect.name == "sqlite":
            self._writers = ThreadPoolExecutor(1, "database-write")
            self._batches = Batches(self._writers, Together(self._run_together, self._run))
            self._readers = ThreadPoolExecutor(2, "database-read")
        else:
            self._writers = self._readers = ThreadPoolExecutor(_POSTGRES_THREADS, "database")

    @classmethod
    def open(cls, url: str, *, retries: Retries | None = None) -> Self:
        """Open `url`. Creates a SQLite file, for its owner alone, but never a table: that is `migrations.upgrade`.

        `retries`: how long errors that pass are waited for. Raises ValueError for another kind of database.
        """
        parsed = parsed_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(_open_postgresql(parsed), retries)
        if (file := _file(parsed)) is None:
            return cls.temporary(retries=retries)
        private_folder(file.parent)
        private_file(file)
        return cls(_open_sqlite(parsed), retries)

    @classmethod
    def temporary(cls, *, retries: Retries | None = None) -> Self:
        """A new empty database for this process alone, gone when it is closed. Nothing of it is synced to disk.

        SQLite keeps it in memory, and moves to an unnamed file in the system's temporary folder what exceeds its cache.
        """
        return cls(_open_temporary(), retries)

    @classmethod
    def open_existing(cls, url: str) -> Self:
        """Open `url` to look at it: what is not there is not made. Raises FileNotFoundError, ValueError."""
        parsed = parsed_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(_open_postgresql(parsed))
        file = _file(parsed)
        if file is not None and not file.is_file():
            raise FileNotFoundError(f"there is no database at {for_people(url)}")
        return cls(_open_sqlite(parsed))

    async def transact(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:
        """Run `work` in one transaction, commit, and return what it returned. Any exception rolls it back.

        Errors that pass (`retries.passes`: a lost connection, a database that restarts, a lock, a full or failing disk,
        a serialization failure, a deadlock) are not raised at once: `work` runs again, with longer and longer pauses,
        for `Retries.seconds` from the first of them, with `forever` until it succeeds. So it may run several times, but
        only one of them is committed, also where the answer to a commit was lost: that is looked up, see `receipts`.
        Programming errors, integrity errors and whatever else `work` raises are raised at once.

        Raises the last error when the database did not come back in time. Then, and only then, it is not known whether
        the transaction was committed.
        """
        return await self._answered(
            _Call(work, WRITING[self.engine.dialect.name], writes=self._writers is not None),
            self._writers,
            forever=forever,
        )

    def transact_here(self, work: Callable[[Transaction], T]) -> T:
        """As `transact`, in the calling thread and once: for what cannot wait for an event loop."""
        return self._run(_Call(work, WRITING[self.engine.dialect.name], writes=False))

    async def read(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:
        """Run `work` on a consistent snapshot; it must not write. Errors that pass are waited for as in `transact`."""
        return await self._answered(
            _Call(work, SNAPSHOT[self.engine.dialect.name], writes=False),
            self._readers,
            forever=forever,
        )

    async def _answered(
        self, call: _Call[T], threads: ThreadPoolExecutor | None, *, forever: bool
    ) -> T:
        run = partial(self._run_in, threads, call)
        try:
            return await run()
        except Exception as error:
            if not passes(error):
                raise
            failure = error
        limits = self.retries
        return cast(
            T,
            await retried(
                run,
                failure,
                on=passes,
                first_delay=limits.first_delay,
                longest_delay=limits.longest_delay,
                seconds=None if forever else limits.seconds,
            ),
        )

    async def _run_in(self, threads: ThreadPoolExecutor | None, call: _Call[T]) -> T:
        if self._batches is not None and threads is self._writers:
            return cast(T, await asyncio.wrap_future(self._batches.submit(call)))
        if threads is not None:
            return await asyncio.get_running_loop().run_in_executor(threads, self._run, call)
        with self._alone:  # an agent may work on a thread and a loop of its own
            result = self._run(call)
        await asyncio.sleep(0)  # who asks again and again must not keep others from their turn
        return result

    def _run(self, call: _Call[T]) -> T:
        try:
            answer = self._try(call)
        except BaseException as error:
            if not passes(error):
                self._forget(call)
            raise
        self._forget(call)
        return answer

    def _run_together(self, calls: Sequence[_Call[Any]]) -> list[Any] | None:
        """Several in one transaction of SQLite's; None where one of them failed, and each is to be run alone."""
        connection = self._connections.take()
        try:
            connection.start(WRITING[self.engine.dialect.name])
            answers = [self._answer_of(call, connection) for call in calls]
            connection.finish()
        except BaseException as error:
            connection.undo()
            self._connections.drop(connection)  # as below
            if not isinstance(error, Exception) or passes(error):
                raise
            return None
        self._connections.give_back(connection)
        for call in calls:
            self._forget(call)
        return answers

    def _try(self, call: _Call[T]) -> T:
        connection = self._connections.take()
        try:
            connection.start(call.begin)
            answer = self._answer_of(call, connection)
            connection.finish()
        except BaseException:
            connection.undo()
            # An unfinished SELECT lives on in the exception's frames, and with it its snapshot: SQLite would refuse
            # this connection's next write at once, as long as anybody holds the exception.
            # A temporary database is its one connection, and has no other that could wait for it.
            if self.engine.dialect.name == "sqlite" and self._writers is not None:
                self._connections.drop(connection)
            else:
                self._connections.give_back(connection)
            raise
        self._connections.give_back(connection)
        return answer

    def _answer_of(self, call: _Call[T], connection: QuickConnection) -> T:
        """Run a call inside a transaction, unless an earlier try of it was committed."""
        if call.in_doubt and call.receipt and self._receipts.stands(connection, call.receipt):
            return cast(T, call.answer)
        call.in_doubt = False
        before = connection.changes
        answer = call.work(connection)
        if call.writes and (before is None or connection.changes != before):
            call.receipt = call.receipt or self._receipts.new()
            self._receipts.write(connection, call.receipt)
            call.answer, call.in_doubt = answer, True
        return answer

    def _forget(self, call: _Call[Any]) -> None:
        if call.receipt is not None:
            self._receipts.done(call.receipt)

    def close(self) -> None:
        """Finish what runs, then let go of every connection."""
        for threads in (self._writers, self._readers):
            if threads is not None:
                threads.shutdown()
        self._connections.close()
        self.engine.dispose()


def insert_once(tx: Transaction, table: sa.Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is taken. True when this call made it."""
    return tx.execute(_inserting(table, tx.dialect.name), values).first() is not None


@cache
def _inserting(table: sa.Table, dialect: str) -> sa.Insert:
    return inserting(table, dialect).on_conflict_do_nothing().returning(sa.literal(1))


def inserting(table: sa.Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens where the key is taken, in the words of `tx.dialect.name`."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - a tenth of SQLAlchemy, for those who use it

    return postgresql.insert(table)


def one_at_a_time(tx: Transaction, subject: str) -> None:
    """Let no other transaction pass this line for the same subject until this one ends.

    SQLite's writers already queue; PostgreSQL takes an advisory lock that goes with the transaction.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCK, {"subject": zlib.crc32(subject.encode())})


def parsed_url(url: str) -> sa.URL:
    """A database's URL, of SQLite or PostgreSQL. Raises ValueError for any other; its text holds no password."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise ValueError(
            "DATABASE_URL is no URL; write sqlite:////path/to/file or postgresql://..."
        ) from None
    if parsed.drivername == "postgres":  # what most hosting services print
        parsed = parsed.set(drivername="postgresql")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(
            f"DATABASE_URL must begin with sqlite:/// or postgresql://, not {parsed.drivername}://"
        )
    return parsed


def for_people(url: str) -> str:
    """A database's URL as it may be shown: without the password, wherever it stands in it."""
    parsed = parsed_url(url)
    hidden = {
        name: "..." if "pass" in name.lower() else value for name, value in parsed.query.items()
    }
    return parsed.set(query=hidden).render_as_string(hide_password=True)


def _file(url: sa.URL) -> Path | None:
    return Path(url.database) if url.database and url.database != ":memory:" else None


def _open_postgresql(url: sa.URL) -> sa.Engine:
    driver = url.set(drivername="postgresql+psycopg")
    usual = {name: value for name, value in _NOTICE_A_LOST_SERVER.items() if name not in url.query}
    with extras_named():
        engine = sa.create_engine(
            driver, pool_size=_POSTGRES_THREADS, pool_pre_ping=True, connect_args=usual
        )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for name, value in _POSTGRES_SETTINGS.items():
                cursor.execute(f"SET {name} = {value}")
        connection.commit()

    return engine


def _is_temporary(url: sa.URL) -> bool:
    return url.get_backend_name() == "sqlite" and _file(url) is None


def _open_sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"check_same_thread": False})
    # a 202 must survive a power cut
    return _prepared(engine, ("journal_mode=WAL", "synchronous=FULL"))


def _open_temporary() -> sa.Engine:
    # The empty name is SQLite's own word for a temporary database. A rollback needs a journal, in memory.
    engine = sa.create_engine(
        "sqlite://", creator=lambda: connect("", check_same_thread=False), poolclass=sa.StaticPool
    )
    return _prepared(engine, ("journal_mode=MEMORY", "synchronous=OFF"))


def _prepared(engine: sa.Engine, own: Sequence[str]) -> sa.Engine:
    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by us, below
        for pragma in (f"busy_timeout={_BUSY_MILLISECONDS}", "foreign_keys=ON", *own):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        begin = connection.get_execution_options().get("begin_statement", "BEGIN")
        if begin == BEGUN:
            return
        try:  # past SQLAlchemy, as it is done for every transaction
            connection.connection.cursor().execute(begin)
        except Error as error:
            raise as_sqlalchemy(error, begin, (), engine.dialect) from error

    return engine
