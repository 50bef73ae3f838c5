"""Moving money."""

from __future__ import annotations

import sqlite3


class TransferError(Exception):
    """The money cannot be moved."""


def open_account(connection: sqlite3.Connection, name: str, cents: int = 0) -> None:
    connection.execute("INSERT INTO accounts (name, cents) VALUES (?, ?)", (name, cents))


def balance(connection: sqlite3.Connection, name: str) -> int:
    row = connection.execute("SELECT cents FROM accounts WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise KeyError(name)
    return int(row[0])


def transfer(connection: sqlite3.Connection, source: str, target: str, cents: int, *, request_id: str) -> int:
    """Move money between two accounts; returns the number of the transfer.

    A request that was carried out before is not carried out again.
    """
    if cents <= 0:
        raise TransferError("the amount must be positive")
    connection.execute("BEGIN IMMEDIATE")
    try:
        earlier = connection.execute(
            "SELECT transfer_id FROM requests WHERE request_id = ?", (request_id,)
        ).fetchone()
        if earlier is not None:
            return int(earlier[0])
        cursor = connection.execute(
            "INSERT INTO transfers (source, target, cents) VALUES (?, ?, ?)",
            (source, target, cents),
        )
        connection.execute("UPDATE accounts SET cents = cents - ? WHERE name = ?", (cents, source))
        connection.execute("UPDATE accounts SET cents = cents + ? WHERE name = ?", (cents, target))
        connection.execute(
            "INSERT INTO requests (request_id, transfer_id) VALUES (?, ?)",
            (request_id, cursor.lastrowid),
        )
    except sqlite3.IntegrityError as error:
        connection.execute("ROLLBACK")
        raise TransferError("unknown account or not enough money") from error
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    assert cursor.lastrowid is not None
    return cursor.lastrowid
