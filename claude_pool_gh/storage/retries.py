"""Which errors of a database pass by themselves, and how long somebody waits for that."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import sqlalchemy as sa

from claude_pool_gh.storage.retry_log import log_retries

T = TypeVar("T")

_SQLITE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_POSTGRESQL: Final = ("08", "40", "53", "57P", "55P03", "58", "25006", "25P03")
"""Lost connections, serialization failures and deadlocks, too little of something, a server that shuts down or starts,
a lock, the server's disk, a standby that is not the primary yet, a session that the server has ended."""


_ROUND_SECONDS: Final = 300.0
"""After so long, waiting without a limit begins anew: `stamina` counts powers of two, which overflow some day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """The time for which a transaction is tried again. All in seconds."""

    seconds: float = 8.0
    """From the first failure on. GitHub waits for ten seconds until it gives a delivery up."""
    first_delay: float = 0.05
    longest_delay: float = 2.0


def passes(error: BaseException) -> bool:
    """True where an error of the database's may be gone in a moment: the same transaction may then succeed.

    Programming errors, integrity errors and errors of the data do not pass, nor does anything else that was raised
    inside a transaction.
    """
    if isinstance(error, sqlite3.Error):
        # Also "no such table" is an operational error to this driver, so its number decides.
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        return passes(error.orig)
    state = getattr(error.orig, "sqlstate", None)  # psycopg's, which a pool on a file need not have
    if state is None:
        return isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)
    return str(state).startswith(_POSTGRESQL)


async def retried(
    again: Callable[[], Awaitable[T]],
    failure: Exception,
    *,
    on: Callable[[Exception], bool],
    first_delay: float,
    longest_delay: float,
    attempts: int | None = None,
    seconds: float | None = None,
) -> T:
    """The result of doing something again that has just failed, which is so the first of the `attempts`.

    What is done all the time has no part of `stamina` in its way while nothing fails. `seconds` count from here;
    without both limits it goes on for ever. Raises the last error, and at once any that `on` does not name.
    """
    while True:
        limit = _ROUND_SECONDS if attempts is None and seconds is None else seconds
        try:
            return await _round(again, failure, on, first_delay, longest_delay, attempts, limit)
        except Exception as error:
            if attempts is not None or seconds is not None or not on(error):
                raise
        # Where a host program has switched `stamina` off, a round neither waits nor asks again: so this does.
        await asyncio.sleep(longest_delay)
        try:
            return await again()
        except Exception as error:
            if not on(error):
                raise
            failure = error


async def _round(
    again: Callable[[], Awaitable[T]],
    failure: Exception,
    on: Callable[[Exception], bool],
    first_delay: float,
    longest_delay: float,
    attempts: int | None,
    seconds: float | None,
) -> T:
    import stamina  # noqa: PLC0415 - most processes never see such an error

    log_retries()
    patience = stamina.retry_context(
        on=on,
        attempts=attempts,
        timeout=seconds,
        wait_initial=first_delay,
        wait_max=longest_delay,
        wait_jitter=first_delay,
    )
    async for attempt in patience:
        with attempt:
            if attempt.num == 1:
                raise failure
            return await again()
    raise AssertionError("unreachable")
