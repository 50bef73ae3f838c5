"""Counts what a database is asked, so that a test can say how much may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.storage import Database, Transaction


@contextmanager
def asked(tx: Transaction) -> Iterator[list[str]]:
    """The statements that a transaction executes while the block lasts; begins and commits are none."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    sa.event.listen(tx, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(tx, "before_cursor_execute", note)


async def statements_of(database: Database, work: Callable[[Transaction], object]) -> int:
    """How many statements a read makes."""

    def counted(tx: Transaction) -> int:
        with asked(tx) as seen:
            work(tx)
        return len(seen)

    return await database.read(counted)
