"""The parts of their monthly caps that repositories have used: asked seldom, since it reads all chains of a month."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_pool_gh.conversation.caps import REPOSITORY
from claude_pool_gh.github import inbox
from claude_pool_gh.pool.model.caps import Cap, Window
from claude_pool_gh.pool.store.fullest_caps import fullest
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.errors import DatabaseError

_EVERY_SECONDS: Final = 60.0
_READ_SECONDS: Final = 5.0
_MOST: Final = 20
"""Repositories whose cap is shown: more would only be more series."""


@dataclass(slots=True, kw_only=True)
class RepositoryCaps:
    """The repositories that have used most of their cap, as of the last minute."""

    database: Database
    now_ms: Callable[[], int]
    read_seconds: float = _READ_SECONDS
    now: Callable[[], float] = time.monotonic
    _asked: float | None = None
    _ratios: Mapping[str, float] = field(default_factory=dict)

    async def ratios(self) -> Mapping[str, float]:
        """The part that each has used; none where the database does not say it in time."""
        if self._asked is None or self.now() - self._asked >= _EVERY_SECONDS:
            self._asked = self.now()
            self._ratios = await self._read()
        return self._ratios

    async def _read(self) -> Mapping[str, float]:
        try:
            async with asyncio.timeout(self.read_seconds):
                return await self.database.read(lambda tx: _ratios(tx, self.now_ms()))
        except (DatabaseError, TimeoutError):
            return {}


def _ratios(tx: Transaction, now_ms: int) -> dict[str, float]:
    found = {}
    for each in fullest(tx, Cap(REPOSITORY, Window.month, 0), now_ms, _MOST):
        known = inbox.known_repository(tx, int(each.key))
        if known is not None:
            found[known.full_name] = each.ratio
    return found
