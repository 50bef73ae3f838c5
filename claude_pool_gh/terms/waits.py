"""The seconds that a server asks to wait, as its headers say it."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime
from typing import Final

_YEAR: Final = 365 * 86_400.0


def seconds(text: str | None) -> float:
    """The seconds of a Retry-After, which is a number of them or a date.

    Of what is neither, and of what has passed, 0; of what no clock reaches, a year.
    """
    return _bounded(_number(text or "0") or _until(text or ""))


def seconds_until(text: str | None) -> float:
    """The seconds until a time that is told in seconds since 1970; else as `seconds`."""
    return _bounded(_number(text or "0") - time.time())


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _bounded(given: float) -> float:
    return 0.0 if math.isnan(given) else min(max(given, 0.0), _YEAR)
