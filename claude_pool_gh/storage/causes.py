"""The cause of what a transaction writes, for rows that say on whose behalf they are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_CAUSE: Final[ContextVar[str | None]] = ContextVar("cause", default=None)


@contextmanager
def acting_for(cause: str) -> Iterator[None]:
    """Let what the block writes be there because of `cause`: what it is and its id, such as `chain:7161adcd2b`.

    Used inside a transaction's function, which runs in a thread of its own.
    """
    token = _CAUSE.set(cause)
    try:
        yield
    finally:
        _CAUSE.reset(token)


def cause() -> str | None:
    """The cause by now; None where nobody named one."""
    return _CAUSE.get()
