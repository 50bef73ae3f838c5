"""Column types whose long values SQLite keeps deflated. PostgreSQL compresses long values by itself.

What earlier versions stored as plain text is read as before, so no row has to be rewritten.
"""

from __future__ import annotations

import re
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.storage.dictionary import DICTIONARY

LEAST: Final = 80
"""Characters from which deflating is worth its time."""

_KINDS: Final = ("TEXT", "JSON")
"""Kinds of columns in which bytes are deflated text."""

_NAME: Final = re.compile(r"[a-z0-9_]+ [a-z0-9_]+", re.ASCII)

Convert = Callable[[Any], Any]


def deflated(text: str) -> bytes | str:
    """A text as SQLite keeps it: as bytes where that is shorter."""
    if len(text) < LEAST:
        return text
    plain = text.encode()
    making = zlib.compressobj(zdict=DICTIONARY)
    short = making.compress(plain) + making.flush()
    return short if len(short) < len(plain) else text


def inflated(stored: bytes | str) -> str:
    """The text of `deflated`."""
    if isinstance(stored, str):
        return stored
    reading = zlib.decompressobj(zdict=DICTIONARY)  # earlier versions deflated without it
    return (reading.decompress(stored) + reading.flush()).decode()


def inflate_all(database: sqlite3.Connection) -> None:
    """Store every deflated value as plain text again, for whoever looks for something in all texts of a database."""
    database.create_function("inflated", 1, inflated, deterministic=True)
    for table, column in _columns(database):
        database.execute(
            f'UPDATE "{table}" SET "{column}" = inflated("{column}")'  # noqa: S608 - names of ours
            f" WHERE typeof(\"{column}\") = 'blob'"
        )


def holds_deflated(database: sqlite3.Connection) -> bool:
    """True where any value of a database is deflated, or passes for it."""
    return any(
        database.execute(
            f'SELECT 1 FROM "{table}" WHERE typeof("{column}") = \'blob\' LIMIT 1'  # noqa: S608 - names of ours
        ).fetchone()
        for table, column in _columns(database)
    )


def _columns(database: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Table and name of each column that can hold deflated text. Raises ValueError for names that are none of ours."""
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, kind, *_ in database.execute(
            "SELECT * FROM pragma_table_info(?)", (table,)
        ).fetchall():
            if kind in _KINDS:
                if not _NAME.fullmatch(f"{table} {column}"):
                    raise ValueError("a table or column has a name that none of ours has")
                yield table, column


class _Deflated(sa.TypeDecorator[Any]):
    """Text as its own kind of column makes it of a value, deflated."""

    impl: Any = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Convert | None:
        """See `sa.types.TypeEngine.bind_processor`."""
        as_text: Convert | None = self.impl_instance.bind_processor(dialect)
        if dialect.name != "sqlite":
            return as_text

        def bind(value: Any) -> Any:
            text = value if as_text is None else as_text(value)
            return deflated(text) if isinstance(text, str) else text

        return bind

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Convert | None:
        """See `sa.types.TypeEngine.result_processor`."""
        of_text: Convert | None = self.impl_instance.result_processor(dialect, coltype)
        if dialect.name != "sqlite":
            return of_text

        def read(stored: Any) -> Any:
            text = inflated(stored) if isinstance(stored, bytes) else stored
            return text if of_text is None else of_text(text)

        return read


class DeflatedText(_Deflated):
    """Text, such as a prompt."""

    impl = sa.Text
    cache_ok = True


class DeflatedJSON(_Deflated):
    """JSON that is read whole: no statement asks for a part of it."""

    impl = sa.JSON
    cache_ok = True
