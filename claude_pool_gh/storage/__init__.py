"""Opens the database and runs transactions on it. Knows no table: each room above declares its own."""

from __future__ import annotations

from claude_pool_gh.storage.database import Database, Transaction, insert_once, metadata, one_at_a_time

__all__ = ["Database", "Transaction", "insert_once", "metadata", "one_at_a_time"]
