"""The queue."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    error TEXT NOT NULL DEFAULT ''
)
"""


@dataclass(frozen=True)
class Job:
    id: int
    kind: str
    payload: str


class Queue:
    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute(SCHEMA)

    def put(self, kind: str, payload: str) -> int:
        cursor = self._connection.execute("INSERT INTO jobs (kind, payload) VALUES (?, ?)", (kind, payload))
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def take(self) -> Job | None:
        """The oldest waiting job, now running."""
        rows = self._connection.execute(
            "UPDATE jobs SET state = 'running' WHERE id ="
            " (SELECT min(id) FROM jobs WHERE state = 'waiting')"
            " RETURNING id, kind, payload"
        ).fetchall()
        return Job(*rows[0]) if rows else None

    def finish(self, job_id: int, error: str = "") -> None:
        """Record the end of a job; an empty error means that it was done."""
        self._connection.execute(
            "UPDATE jobs SET state = ?, error = ? WHERE id = ?",
            ("failed" if error else "done", error, job_id),
        )

    def state(self, job_id: int) -> str:
        row = self._connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return str(row[0])
