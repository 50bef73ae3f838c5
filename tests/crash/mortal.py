"""Makes the server mortal: it kills itself at the durable point that it is told.

A durable point is a commit that wrote something, in any database of the process. Its label says
which tables it wrote, and its number how often that label has come; so nobody has to list the points by hand.
What lies between two commits is lost by a death before the second, so dying before each covers them all.

    MORTAL_LOG   file that gets a line for every point
    MORTAL_AT    `LABEL#NUMBER/before`: where to die
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Any

import sqlalchemy as sa

_WRITES = re.compile(
    r"\s*(?:WITH .*?)?(?:INSERT INTO|UPDATE|DELETE FROM)\s+(?:\"?\w+\"?\.)?\"?(\w+)",
    re.IGNORECASE | re.DOTALL,
)
_seen: Counter[str] = Counter()


def _point(where: str) -> None:
    if path := os.environ.get("MORTAL_LOG"):
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(where + "\n")
    if os.environ.get("MORTAL_AT") == where:
        os.kill(os.getpid(), signal.SIGKILL)


def _note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    # A receipt comes with whatever else is written, and on PostgreSQL it is asked for where that is nothing.
    if (found := _WRITES.match(statement)) and found[1] != "receipts":
        connection.info.setdefault("writes", set()).add(found[1])


def _before(connection: Any) -> None:
    writes = connection.info.pop("writes", None)
    if writes:
        label = "+".join(sorted(writes))
        _seen[label] += 1
        _point(f"{label}#{_seen[label]}/before")


def _forget(connection: Any) -> None:
    connection.info.pop("writes", None)


def arm() -> None:
    """Watch every database of this process from now on."""
    sa.event.listen(sa.Engine, "before_cursor_execute", _note)
    sa.event.listen(sa.Engine, "commit", _before)
    sa.event.listen(sa.Engine, "rollback", _forget)
