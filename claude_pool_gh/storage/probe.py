"""A check whether a database takes a write."""

from __future__ import annotations

import time

from claude_pool_gh.storage.database import Transaction, inserting
from claude_pool_gh.storage.receipts import receipts

_WRITER = "probe"


def writes(tx: Transaction) -> None:
    """Write one row that nobody reads: raises the database's error where nothing can be stored."""
    values = {"writer": _WRITER, "number": 0, "written_ms": int(time.time() * 1000)}
    insert = inserting(receipts, tx.dialect.name)
    later = {"written_ms": insert.excluded.written_ms}
    tx.execute(insert.on_conflict_do_update(index_elements=[receipts.c.writer], set_=later), values)
