"""The sessions table."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timezone

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    seen_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_seen_at ON sessions (seen_at);
"""

FORMAT = "%Y-%m-%d %H:%M:%S"


class SessionStore:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.executescript(SCHEMA)

    def touch(self, token: str, user: str, at: datetime | None = None) -> None:
        """Note that somebody was seen, now unless told otherwise."""
        moment = (at or datetime.now(timezone.utc)).strftime(FORMAT)
        with self._connection:
            self._connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?)"
                " ON CONFLICT (token) DO UPDATE SET seen_at = excluded.seen_at",
                (token, user, moment),
            )

    def user(self, token: str) -> str | None:
        row = self._connection.execute("SELECT user FROM sessions WHERE token = ?", (token,)).fetchone()
        return None if row is None else str(row[0])

    def count(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM sessions").fetchone()[0])
