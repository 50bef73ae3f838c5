"""Opens the database and runs transactions on it. Each package above declares its own tables."""

from __future__ import annotations

from claude_pool_gh.storage.database import (
    Database,
    Transaction,
    for_people,
    insert_once,
    inserting,
    one_at_a_time,
    parsed_url,
)
from claude_pool_gh.storage.deflated import DeflatedJSON, DeflatedText
from claude_pool_gh.storage.retries import Retries, passes, retried
from claude_pool_gh.storage.tables import metadata

__all__ = [
    "Database",
    "DeflatedJSON",
    "DeflatedText",
    "Retries",
    "Transaction",
    "for_people",
    "insert_once",
    "inserting",
    "metadata",
    "one_at_a_time",
    "parsed_url",
    "passes",
    "retried",
]
