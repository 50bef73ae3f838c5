"""SQLite or PostgreSQL behind one call: `await database.transact(work)`.

A transaction is a plain function of a connection. It runs whole in a worker thread and is committed when it
returns, so no transaction ever stays open across an `await`, and a kill leaves either all of it or nothing.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from claude_pool_gh.storage.private import private_file, private_folder

Transaction = sa.Connection
"""What a room's functions take as their first argument."""

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    }
)

T = TypeVar("T")

_POSTGRES_THREADS: Final = 8
_POSTGRES_SETTINGS: Final = {
    # What a process holds that was paused or has vanished with its machine must not hold up all others for hours.
    "idle_in_transaction_session_timeout": 10_000,
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
_BUSY_MILLISECONDS: Final = 30_000


class Database:
    """One open database.

    SQLite gets a single writing thread, since a second writer would only wait for the file's lock, and reads
    beside it on threads of their own (WAL lets them). PostgreSQL gets a small pool for both.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        if engine.dialect.name == "sqlite":
            self._writers = ThreadPoolExecutor(1, "database-write")
            self._readers = ThreadPoolExecutor(2, "database-read")
        else:
            self._writers = self._readers = ThreadPoolExecutor(_POSTGRES_THREADS, "database")

    @classmethod
    def open(cls, url: str) -> Self:
        """Open `url`. Creates a SQLite file, for its owner alone, but never a table: that is `migrations.upgrade`.

        Raises ValueError for another kind of database.
        """
        parsed = parsed_url(url)
        if parsed.get_backend_name() == "postgresql":
            return cls(_open_postgresql(parsed))
        if (file := _file(parsed)) is not None:
            private_folder(file.parent)
            private_file(file)
        return cls(_open_sqlite(parsed))

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

    async def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, commit, and return what it returned. Any exception rolls it back."""
        return await asyncio.get_running_loop().run_in_executor(
            self._writers, self._run, work, "BEGIN IMMEDIATE"
        )

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a consistent snapshot; it must not write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._run, work, "BEGIN")

    def _run(self, work: Callable[[Transaction], T], begin: str) -> T:
        with self.engine.connect().execution_options(begin_statement=begin) as connection:
            try:
                with connection.begin():
                    return work(connection)
            except BaseException:
                # An unfinished SELECT lives on in the exception's frames, and with it its snapshot: SQLite would refuse
                # this connection's next write at once, as long as anybody holds the exception.
                if self.engine.dialect.name == "sqlite":
                    connection.invalidate()
                raise

    def close(self) -> None:
        """Finish what runs, then let go of every connection."""
        self._writers.shutdown()
        self._readers.shutdown()
        self.engine.dispose()


def insert_once(tx: Transaction, table: sa.Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its key is taken. True when this call made it."""
    return tx.execute(_inserting(table, tx.dialect.name), values).first() is not None


@cache
def _inserting(table: sa.Table, dialect: str) -> sa.Insert:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing().returning(sa.literal(1))


def one_at_a_time(tx: Transaction, subject: str) -> None:
    """Let no other transaction pass this line for the same subject until this one ends.

    SQLite's writers already queue; PostgreSQL takes an advisory lock that goes with the transaction.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(zlib.crc32(subject.encode()))))


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
    hidden = {name: "***" if "pass" in name.lower() else value for name, value in parsed.query.items()}
    return parsed.set(query=hidden).render_as_string(hide_password=True)


def _file(url: sa.URL) -> Path | None:
    return Path(url.database) if url.database and url.database != ":memory:" else None


def _open_postgresql(url: sa.URL) -> sa.Engine:
    driver = url.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(driver, pool_size=_POSTGRES_THREADS, pool_pre_ping=True)

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for name, value in _POSTGRES_SETTINGS.items():
                cursor.execute(f"SET {name} = {value}")
        connection.commit()

    return engine


def _open_sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, connect_args={"check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by us, below
        for pragma in (
            f"busy_timeout={_BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=FULL",  # a 202 must survive a power cut
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin_statement", "BEGIN"))

    return engine
