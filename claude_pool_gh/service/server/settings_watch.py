"""Compares a worker's settings with the server's, when the worker starts and each time a server starts after that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.service.server import agreement
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, server_settings

logger = logging.getLogger(__name__)
LOOK_SECONDS: Final = 15.0


@dataclass(slots=True)
class SettingsWatch:
    """One worker's settings, and those of the server with which they were compared last."""

    own: Mapping[str, str]
    seconds: float = LOOK_SECONDS
    """Between two looks."""
    server: Mapping[str, str] | None = None

    @classmethod
    def of(cls, settings: Settings) -> SettingsWatch:
        """Nothing is compared yet."""
        return cls(agreement.shared(settings))

    async def refused(self, database: Database) -> tuple[str, ...]:
        """The settings, one line each, with which this worker must not run. Other differences are logged, once."""
        server = await server_settings.read(database)
        found = agreement.compared(server, self.own)
        if server != self.server:
            self.server = server
            for line in found.warned:
                logger.warning(
                    "not the server's setting: %s", line, extra={"action": "settings_differ"}
                )
        return found.refused

    async def until_refused(self, database: Database) -> tuple[str, ...]:
        """Wait for a server whose settings this worker must not run with; returns them, one line each."""
        while True:
            await asyncio.sleep(self.seconds)
            try:
                if lines := await self.refused(database):
                    return lines
            except Exception:
                logger.exception("settings not compared", extra={"action": "compare_failed"})
