"""The notices of one process to the others on a PostgreSQL database when it commits: LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from claude_pool_gh.storage.database import Database

logger = logging.getLogger(__name__)

_AGAIN_SECONDS: Final = 1.0
_ALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""A connection that nothing comes through any more is noticed within half a minute."""


async def notices(database: Database, channel: str) -> AsyncIterator[str | None]:
    """The notices on a channel, for ever, on a connection of its own.

    None each time it has begun to listen, again after a lost connection: what was told before then it has missed.
    """
    import psycopg  # noqa: PLC0415 - only where there is a PostgreSQL

    arguments, given = database.engine.dialect.create_connect_args(database.engine.url)
    keywords: dict[str, Any] = {**_ALIVE, **given}
    while True:
        try:
            connecting = psycopg.AsyncConnection.connect(*arguments, autocommit=True, **keywords)
            async with await connecting as connection:
                await connection.execute(
                    psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel))
                )
                yield None
                async for notice in connection.notifies():
                    yield notice.payload
        except psycopg.Error as error:
            # What the driver says may hold the address with its password.
            logger.warning(
                "not listening: %s", type(error).__name__, extra={"action": "listen_failed"}
            )
        await asyncio.sleep(_AGAIN_SECONDS)
