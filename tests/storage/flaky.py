"""Makes a real database fail where a test says: at one commit, or for a while at everything.

It fails as the driver would: with the driver's own errors, on PostgreSQL with connections that are really lost.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg
import sqlalchemy as sa

from claude_pool_gh.storage import Database

_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)\"?", re.IGNORECASE)
_OWN = "receipts"


class When(StrEnum):
    before = "before"
    """Nothing is committed."""
    after = "after"
    """All is committed, and the answer is lost."""


@dataclass(eq=False)
class Flaky:
    """Watches a database's commits, and lets some of them fail.

    A commit that wrote something has a name: the tables that it wrote, and how often those were written together.
    """

    database: Database
    at: str | None = None
    """The commit that fails once."""
    when: When = When.before
    times: int = 1
    """How often it fails before it is committed, one try after the other."""
    stays_away: float = 0.0
    """Seconds for which the database answers nothing after that."""
    away: bool = False
    """The database answers nothing."""
    refused: int = 0
    """How often it did not answer while it was away."""
    failed: int = 0
    seen: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        engine = self.database.engine
        self.real_commit = engine.dialect.do_commit
        engine.dialect.do_commit = self._commit  # type: ignore[method-assign,assignment]
        sa.event.listen(engine, "before_cursor_execute", self._note)
        sa.event.listen(engine, "rollback", lambda connection: connection.info.pop("writes", None))

    def _note(self, connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self.away:
            self.refused += 1
            raise self._error()
        if (found := _WRITES.match(statement)) and found[1] != _OWN:
            connection.info.setdefault("writes", set()).add(found[1])

    def _commit(self, connection: Any) -> None:
        writes = connection.info.pop("writes", None)
        if not writes:
            self.real_commit(connection)
            return
        tables = "+".join(sorted(writes))
        name = f"{tables}#{self.counts[tables] + 1}"
        if name == self.at and self.failed < self.times:
            self.failed += 1
            self.counts[tables] += self.when is When.after
            self._fail(connection)
        self.counts[tables] += 1
        self.seen.append(name)
        self.real_commit(connection)

    def _fail(self, connection: Any) -> None:
        if self.when is When.after:
            self.real_commit(connection)
        if self.database.engine.dialect.name == "postgresql":
            connection.dbapi_connection.pgconn.finish()
        if self.stays_away:
            self.away = True
            threading.Timer(self.stays_away, self._come_back).start()
        raise self._error()

    def _come_back(self) -> None:
        self.away = False

    def _error(self) -> Exception:
        if self.database.engine.dialect.name == "postgresql":
            return psycopg.OperationalError(
                "consuming input failed: server closed the connection unexpectedly"
            )
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        return error
