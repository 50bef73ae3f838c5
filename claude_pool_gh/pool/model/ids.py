"""Ids: random, so that they never collide, and safe as file names."""

from __future__ import annotations

import re
import secrets
from typing import Final, NewType

TaskId = NewType("TaskId", str)
"""Names a task. What reads one from outside, such as a file, makes it with `TaskId(text)`."""
ChainId = NewType("ChainId", str)
"""Names a chain. A lone task is no chain to its caller."""

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def new_id(kind: str) -> str:
    """A fresh id, such as `task-9f86d081884c7d659a2f`: 80 random bits after the kind's name."""
    return f"{kind}-{secrets.token_hex(10)}"


def is_safe(given: str) -> bool:
    """True where an id may name a file and be part of an address."""
    return _SAFE.fullmatch(given) is not None


def checked(given: str) -> str:
    """The id, if it may name a file and be part of an address. Raises ValueError for any other."""
    if not is_safe(given):
        raise ValueError(
            f"an id has letters, digits, - and _, at most 64 of them; not {given[:80]!r}"
        )
    return given
