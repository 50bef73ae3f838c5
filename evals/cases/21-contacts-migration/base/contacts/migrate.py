"""Bringing the database up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def migrate(connection: sqlite3.Connection, directory: Path = MIGRATIONS) -> list[str]:
    """Apply the migrations that are missing; returns their names."""
    connection.execute("CREATE TABLE IF NOT EXISTS applied (name TEXT PRIMARY KEY)")
    known = {name for (name,) in connection.execute("SELECT name FROM applied")}
    applied = []
    for path in sorted(directory.glob("*.sql")):
        if path.stem in known:
            continue
        script = f"BEGIN;\n{path.read_text()}\nINSERT INTO applied VALUES ('{path.stem}');\nCOMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        applied.append(path.stem)
    return applied
