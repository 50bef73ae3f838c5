"""Opens the database and runs transactions on it. Knows no table: each room above declares its own."""

from __future__ import annotations

from claude_pool_gh.storage.database import (
    Database,
    Transaction,
    for_people,
    insert_once,
    inserting,
    metadata,
    one_at_a_time,
    parsed_url,
)

__all__ = [
    "Database",
    "Transaction",
    "for_people",
    "insert_once",
    "inserting",
    "metadata",
    "one_at_a_time",
    "parsed_url",
]
