"""Errors of the machine that only the operator can mend, whoever meets them: a full disk, a database that is away."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Final

_NO_ROOM: Final = "free some space on the disk that holds CLAUDE_POOL_STATE_DIR"
_NO_DATABASE: Final = (
    "check that the database runs and can be reached; what was wanted is tried again"
)


@dataclass(frozen=True, slots=True)
class Outage:
    """An error in a line, and what to do about it."""

    error: str
    do: str


def outage(error: BaseException | None) -> Outage | None:
    """The outage that an error tells of; None for an error of the program's own."""
    from claude_pool_gh.storage import passes  # noqa: PLC0415 - a shell's `--help` needs none of it
    from claude_pool_gh.storage.errors import DatabaseError, reason  # noqa: PLC0415

    while error is not None:
        if isinstance(error, BaseExceptionGroup):  # of what is done at the same time
            found = [outage(each) for each in error.exceptions]
            return found[0] if all(found) else None
        if isinstance(error, DatabaseError) and passes(error):
            said = reason(error)
            return Outage(said, _NO_ROOM if "disk" in said else _NO_DATABASE)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Outage(str(error), _NO_ROOM)
        error = error.__cause__
    return None
