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
        self._running: dict[str, asyncio.Task[bytes]] = {}

    async def load(self, address: str) -> bytes:
        """The picture at an address."""
        if address in self._recent:
            return self._recent[address]
        task = self._running.get(address)
        if task is None:
            task = asyncio.create_task(self._run(address))
            self._running[address] = task
        # A caller that goes away must not take the picture from the others.
        return await asyncio.shield(task)

    async def _run(self, address: str) -> bytes:
        try:
            data = await self._fetch(address)
            self._remember(address, data)
            return data
        finally:
            del self._running[address]

    def _remember(self, address: str, data: bytes) -> None:
        self._recent[address] = data
        if len(self._recent) > self._keep:
            del self._recent[next(iter(self._recent))]
