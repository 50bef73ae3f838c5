"""Tells whether a transaction was committed whose commit was not answered.

A connection can be lost after the database has committed and before it could say so. Whoever only repeats such a
transaction does everything in it twice. So each transaction that writes also leaves its number in a row, its receipt,
and whoever lost the answer looks for that first. A row is used by one transaction after the other; at no time by two.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from claude_pool_gh.storage.connections import QuickConnection
from claude_pool_gh.storage.tables import metadata

receipts: Final = sa.Table(
    "receipts",
    metadata,
    sa.Column("writer", sa.String(64), primary_key=True),
    # The newest transaction of this writer that was committed.
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("written_ms", sa.BigInteger, nullable=False),
)

_KEPT_MS: Final = 24 * 3600 * 1000
"""Long after anybody may still ask."""
_THERE: Final = {
    "sqlite": "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'receipts'",
    "postgresql": "SELECT 1 WHERE to_regclass('receipts') IS NOT NULL",
}
_WRITE: Final = {
    "sqlite": "INSERT INTO receipts (writer, number, written_ms) VALUES (?, ?, ?)"
    " ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_ms = excluded.written_ms",
    # Nothing is written for a transaction that has written nothing. SQLite tells that by itself.
    "postgresql": "INSERT INTO receipts (writer, number, written_ms)"
    " SELECT CAST(%s AS text), CAST(%s AS bigint), CAST(%s AS bigint) WHERE txid_current_if_assigned() IS NOT NULL"
    " ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_ms = excluded.written_ms",
}
_READ: Final = {
    "sqlite": "SELECT number FROM receipts WHERE writer = ?",
    # The server may still be at work on the transaction whose connection was lost. This waits for its end, because that
    # transaction has written the same row.
    "postgresql": "INSERT INTO receipts (writer, number, written_ms) VALUES (%s, 0, 0)"
    " ON CONFLICT (writer) DO UPDATE SET writer = excluded.writer RETURNING number",
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The trace of a transaction: the row, and the number that it writes there."""

    writer: str
    number: int


@dataclass(slots=True)
class Receipts:
    """The receipts of one open database. Called from the threads that run its transactions."""

    dialect: str
    _name: str = field(default_factory=lambda: uuid4().hex)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _free: list[str] = field(default_factory=list)
    _there: bool = False

    def new(self) -> Receipt:
        """A receipt for one transaction, however often that is tried."""
        number = next(self._numbers)
        try:
            return Receipt(self._free.pop(), number)
        except IndexError:
            return Receipt(f"{self._name}.{number}", number)

    def done(self, receipt: Receipt) -> None:
        """Nobody will ask for it any more: its row is free for another transaction."""
        self._free.append(receipt.writer)

    def write(self, tx: QuickConnection, receipt: Receipt) -> None:
        """Leave the receipt, as the last thing in its transaction. A database without its tables keeps none."""
        now = int(time.time() * 1000)
        if not self._there:
            if tx.exec_driver_sql(_THERE[self.dialect]).first() is None:
                return
            tx.execute(receipts.delete().where(receipts.c.written_ms < now - _KEPT_MS))
            self._there = True
        tx.send(_WRITE[self.dialect], (receipt.writer, receipt.number, now))

    def stands(self, tx: sa.Connection, receipt: Receipt) -> bool:
        """True where the transaction that was to leave this receipt was committed; waits where that is still open."""
        if not self._there:
            return False
        row = tx.exec_driver_sql(_READ[self.dialect], (receipt.writer,)).first()
        return row is not None and row[0] == receipt.number
