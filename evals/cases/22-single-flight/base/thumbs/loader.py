"""Fetching the originals."""

from __future__ import annotations

import asyncio
from typing import Awaitable, Callable

Fetch = Callable[[str], Awaitable[bytes]]


class Loader:
    def __init__(self, fetch: Fetch, keep: int = 16) -> None:
        self._fetch = fetch
        self._keep = keep
        self._recent: dict[str, bytes] = {}
        self._lock = asyncio.Lock()

    async def load(self, address: str) -> bytes:
        """The picture at an address."""
        async with self._lock:
            if address not in self._recent:
                self._remember(address, await self._fetch(address))
            return self._recent[address]

    def _remember(self, address: str, data: bytes) -> None:
        self._recent[address] = data
        if len(self._recent) > self._keep:
            del self._recent[next(iter(self._recent))]
