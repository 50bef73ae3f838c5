"""Connections that stay open from one transaction to the next, and send prepared statements to the driver themselves.

To make and close a connection of SQLAlchemy's for each transaction takes longer than most transactions: so it is made
once for each driver's connection, and begun, committed and rolled back by the driver. It still is one of SQLAlchemy's:
what is not prepared it executes as every other, and whoever listens to the engine hears of all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

from claude_pool_gh.storage.prepared import PreparedStatement, Statements

SNAPSHOT: Final = {
    "sqlite": "BEGIN",
    # Its own default lets each statement of a transaction see another state.
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ",
}
"""Begins a transaction that only reads."""
WRITING: Final = {
    "sqlite": "BEGIN IMMEDIATE",
    # Named: a lock of ours protects a sum only if it is read after the lock was taken, whatever the server's default.
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED",
}
"""Begins one that writes."""
BEGUN: Final = ""
"""Begins none, where there is one."""


class StatementResult(IteratorResult[Any]):
    """The result of a prepared statement: its rows, or how many it has changed."""

    def __init__(
        self, metadata: SimpleResultMetaData, rows: Iterable[Any], rowcount: int = -1
    ) -> None:
        super().__init__(metadata, iter(rows))
        self.rowcount = rowcount

    # What is asked of nearly every result, by a shorter way than for results that are fetched piece by piece.

    def all(self) -> Sequence[Any]:
        """See `sa.Result.all`."""
        return list(map(self._as_row(), self.iterator))

    def one_or_none(self) -> Any:
        """See `sa.Result.one_or_none`."""
        found = list(self.iterator)
        if len(found) > 1:
            raise sa.exc.MultipleResultsFound(
                "Multiple rows were found when one or none was required"
            )
        return self._as_row()(found[0]) if found else None

    def one(self) -> Any:
        """See `sa.Result.one`."""
        if (row := self.one_or_none()) is None:
            raise sa.exc.NoResultFound("No row was found when one was required")
        return row

    def scalar_one(self) -> Any:
        """See `sa.Result.scalar_one`."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """See `sa.Result.scalar_one_or_none`."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def _as_row(self) -> partial[sa.Row[Any]]:
        return partial(sa.Row, self._metadata, None, self._metadata._key_to_index)  # noqa: SLF001 - as SQLAlchemy does


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """The result of a prepared statement that returns no rows."""

    rowcount: int


class QuickConnection(sa.Connection):
    """A connection that is kept. Used by one transaction at a time."""

    def __init__(self, engine: sa.Engine, statements: Statements) -> None:
        super().__init__(engine, _allow_autobegin=False)
        self.execution_options(begin_statement=BEGUN)
        self._statements = statements
        self._driver = cast(Any, self.connection.driver_connection)
        self._cursor: Any = None
        if self.dialect.name == "postgresql":
            self._driver.autocommit = True  # transactions are begun by us

    @property
    def changes(self) -> int | None:
        """The number of rows that SQLite has changed on it so far; None where only the server knows."""
        return int(self._driver.total_changes) if self.dialect.name == "sqlite" else None

    def start(self, begin: str) -> None:
        """Begin a transaction, by a statement of `SNAPSHOT` or `WRITING`."""
        self.send(begin)

    def begin_nested(self) -> sa.NestedTransaction:
        """As `sa.Connection.begin_nested`; only from here on SQLAlchemy keeps account of the transaction itself."""
        if not self.in_transaction():
            self.begin()
        return super().begin_nested()

    def finish(self) -> None:
        """Commit. Raises the database's error where that was refused, or not answered."""
        if (transaction := self.get_transaction()) is not None:
            transaction.commit()
            return
        for listener in self.dispatch.commit:
            listener(self)
        try:
            self.dialect.do_commit(self.connection)
        except self.dialect.loaded_dbapi.Error as error:
            raise self._told(error, "COMMIT", ()) from error

    def undo(self) -> None:
        """Roll back what was not committed; a connection that cannot is lost."""
        if self.invalidated:
            return
        if (transaction := self.get_transaction()) is not None:
            transaction.rollback()
            return
        for listener in self.dispatch.rollback:
            listener(self)
        try:
            self.dialect.do_rollback(self.connection)
        except self.dialect.loaded_dbapi.Error as error:
            self.invalidate(error)

    def send(self, text: str, values: Sequence[Any] = ()) -> Any:
        """Execute a statement in the driver's words, and return its cursor, which the next statement uses anew."""
        try:
            if self._cursor is None:
                self._cursor = self._driver.cursor()
            self._cursor.execute(text, values)
        except self.dialect.loaded_dbapi.Error as error:
            raise self._told(error, text, values) from error
        return self._cursor

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> Any:
        """As `sa.Connection.execute`."""
        given: Any = {} if parameters is None else parameters
        rows = given if isinstance(given, list) and given else [given]
        if options or not isinstance(rows[0], dict):
            return super().execute(statement, parameters, **options)
        found = self._statements.prepared(statement, rows[0])
        if found is None or (found.columns and len(rows) > 1):
            return super().execute(statement, parameters)
        return self._run(found, rows)

    def _run(self, found: PreparedStatement, given: Sequence[Mapping[str, Any]]) -> Any:
        several = len(given) > 1
        try:
            text, values = found.text, list(map(found.filled, given))
        except Exception as error:
            raise sa.exc.StatementError(str(error), found.text, given, error) from error
        try:
            if self._cursor is None:  # a connection that is gone may say so here already
                self._cursor = self._driver.cursor()
            cursor = self._cursor
            if listeners := self.dispatch.before_cursor_execute:
                told: Any = values if several else values[0]
                for listener in listeners:
                    text, told = listener(self, cursor, text, told, None, several)
                values = told if several else [told]
            if several:
                cursor.executemany(text, values)
            else:
                cursor.execute(text, values[0])
            if not found.columns:
                return ChangeResult(cursor.rowcount)
            rows = found.read(cursor, self.dialect)
            return StatementResult(found.metadata, rows, cursor.rowcount)
        except self.dialect.loaded_dbapi.Error as error:
            raise self._told(error, text, values) from error

    def _told(self, error: Any, text: str, values: Any) -> Exception:
        """The driver's error as SQLAlchemy tells it. A connection that is lost is used no more."""
        lost = self.dialect.is_disconnect(error, self._driver, self._cursor)
        if lost:
            self.invalidate(error)
        return as_sqlalchemy(error, text, values, self.dialect, lost=lost)


@dataclass(slots=True)
class Connections:
    """The connections of one open database that no transaction uses now. Called from the threads that run them."""

    engine: sa.Engine
    statements: Statements
    _free: list[QuickConnection] = field(default_factory=list)

    def take(self) -> QuickConnection:
        """A connection for one transaction."""
        try:
            return self._free.pop()
        except IndexError:
            return QuickConnection(self.engine, self.statements)

    def give_back(self, connection: QuickConnection) -> None:
        """Keep a connection for the next transaction; where it was lost, the others are lost with it."""
        if connection.invalidated:
            connection.close()
            self.close()
        else:
            self._free.append(connection)

    def drop(self, connection: QuickConnection) -> None:
        """Use a connection no more."""
        connection.invalidate()
        connection.close()

    def close(self) -> None:
        """Let go of all of them."""
        while self._free:
            self.drop(self._free.pop())


def as_sqlalchemy(
    error: Any, text: str, values: Any, dialect: sa.Dialect, *, lost: bool = False
) -> Exception:
    """The error that SQLAlchemy would raise in place of a driver's. `lost`: the connection is gone with it."""
    told: Exception = sa.exc.DBAPIError.instance(
        text,
        values,
        error,
        dialect.loaded_dbapi.Error,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return told
