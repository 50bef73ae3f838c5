"""A stand-in for a pool's database once the pool is closed: every method that needs it says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from claude_pool_gh.pool.model.errors import PoolShutdown
from claude_pool_gh.storage import Database, Transaction

T = TypeVar("T")

CLOSED = "this pool is closed: what it has is read, and goes on, in one that is opened on the same `state` or `store`"
CLOSED_AND_GONE = (
    "this pool is closed, and nothing of it is kept: it was opened without `state` and `store`"
)


class ClosedDatabase(Database):
    """Raises PoolShutdown for everything."""

    def __init__(self, words: str) -> None:
        """`words`: what to say."""
        self._words = words

    async def transact(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:  # noqa: ARG002
        """Raise PoolShutdown."""
        raise PoolShutdown(self._words)

    async def read(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:  # noqa: ARG002
        """Raise PoolShutdown."""
        raise PoolShutdown(self._words)

    def close(self) -> None:
        """Do nothing: whoever opened the database has closed it, or will."""
