"""The server, mortal: `serve` as always, but it kills itself at the durable point that it is told.

A durable point is a commit that wrote something, in any database of the process, ours or the engine's. Its label
says which tables it wrote, and its number how often that label has come; so nobody has to list the points by hand.

    MORTAL_LOG   file that gets a line for every point
    MORTAL_AT    `LABEL#NUMBER/before` or `.../after`: where to die
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import Pool

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


@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def _note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    if found := _WRITES.match(statement):
        connection.info.setdefault("writes", set()).add(found[1])


@sa.event.listens_for(sa.Engine, "commit")
def _before(connection: Any) -> None:
    writes = connection.info.pop("writes", None)
    if writes:
        label = "+".join(sorted(writes))
        _seen[label] += 1
        connection.info["point"] = f"{label}#{_seen[label]}"
        _point(connection.info["point"] + "/before")


@sa.event.listens_for(sa.Engine, "rollback")
def _forget(connection: Any) -> None:
    connection.info.pop("writes", None)


@sa.event.listens_for(Pool, "checkin")
def _after(_connection: Any, record: Any) -> None:
    if point := record.info.pop("point", None):
        _point(point + "/after")


if __name__ == "__main__":
    from claude_pool_gh.service.cli import main

    main(["serve"])
