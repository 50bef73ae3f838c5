"""Tickets in SQLite."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS tickets (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 3,
    state TEXT NOT NULL DEFAULT 'open'
)
"""


@dataclass(frozen=True)
class Ticket:
    id: int
    title: str
    priority: int
    state: str


class TicketStore:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.execute(SCHEMA)

    def add(self, title: str, priority: int = 3) -> int:
        with self._connection:
            cursor = self._connection.execute(
                "INSERT INTO tickets (title, priority) VALUES (?, ?)", (title, priority)
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def list(self, state: str, limit: int) -> list[Ticket]:
        """The first tickets in a state, in order of their number."""
        rows = self._connection.execute(
            "SELECT id, title, priority, state FROM tickets WHERE state = ? ORDER BY id LIMIT ?",
            (state, limit),
        )
        return [Ticket(*row) for row in rows]
