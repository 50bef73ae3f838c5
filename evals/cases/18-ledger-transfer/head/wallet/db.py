"""The connection."""

from __future__ import annotations

import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY,
    cents INTEGER NOT NULL CHECK (cents >= 0)
);
CREATE TABLE IF NOT EXISTS transfers (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL REFERENCES accounts (name),
    target TEXT NOT NULL REFERENCES accounts (name),
    cents INTEGER NOT NULL CHECK (cents > 0)
);
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT PRIMARY KEY,
    transfer_id INTEGER NOT NULL REFERENCES transfers (id)
);
"""


def connect(path: str) -> sqlite3.Connection:
    """The connection of this process; transactions are begun and ended by hand."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(SCHEMA)
    return connection
