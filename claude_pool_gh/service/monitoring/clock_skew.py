"""The difference between this machine's clock and that of a server that has answered."""

from __future__ import annotations

import datetime as dt
import email.utils
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import aiohttp

SKEW_SECONDS: Final = 60
"""That a clock may be wrong: GitHub refuses an App's login that seems to come from the future."""


def told_in(headers: Mapping[str, str]) -> float | None:
    """The time of an answer, in seconds since the epoch; None where it does not say."""
    told = {name.lower(): value for name, value in headers.items()}.get("date", "")
    try:
        return email.utils.parsedate_to_datetime(told).astimezone(dt.UTC).timestamp()
    except (TypeError, ValueError):
        return None


async def ask(session: aiohttp.ClientSession, url: str) -> None:
    """Ask a server for nothing but its time, which the session's watch reads in whatever it answers."""
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with session.get(url, allow_redirects=False):
            pass


def skew_of(headers: Mapping[str, str]) -> float | None:
    """Seconds between this machine's clock and that of a server that has just answered; None where it does not say."""
    then = told_in(headers)
    return None if then is None else abs(then - time.time())
