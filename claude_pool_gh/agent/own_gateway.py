"""The gateway of one agent, opened by its first run.

Only runs ask the model, and the HTTP library takes as long to import as the database's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from claude_pool_gh.agent.connection import Connection
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.agent.passes import Pass

if TYPE_CHECKING:
    from claude_pool_gh.agent.gateway import Gateway


@dataclass(slots=True)
class OwnGateway:
    """Lets runs through from the first one until `close`; see `Gateway`."""

    meter: Meter
    upstream: str
    key: str
    patience: float
    connection: Connection
    _gateway: Gateway | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def admit(
        self,
        run_id: str,
        models: frozenset[str],
        most: int | None = None,
        *,
        step: int | None = None,
    ) -> AsyncIterator[tuple[Pass, str]]:
        """See `Gateway.admit`."""
        gateway = await self._opened()
        async with gateway.admit(run_id, models, most, step=step) as admitted:
            yield admitted

    async def _opened(self) -> Gateway:
        from claude_pool_gh.agent.gateway import Gateway  # noqa: PLC0415 - see above

        async with self._opening:
            if self._gateway is None:
                gateway = Gateway(
                    self.meter,
                    self.upstream,
                    self.key,
                    patience=self.patience,
                    connection=self.connection,
                )
                try:
                    await gateway.start()
                except BaseException:
                    await gateway.close()
                    raise
                self._gateway = gateway
        return self._gateway

    async def close(self) -> None:
        """Close what the first run opened."""
        if self._gateway is not None:
            await self._gateway.close()
