"""What can go wrong with GitHub.

ForgeError
|- ForgeUnavailable   no answer, or 5xx: what was asked may or may not have happened
|- RateLimited        asked to wait; `seconds` says how long
`- ForgeRefused       4xx: it did not happen and will not by asking again
   |- NotAsApproved   what was approved does not hold any more
   `- NotFound        404 or 410
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any


class ForgeError(Exception):
    """Root of GitHub's errors. The text is for operators."""


class ForgeUnavailable(ForgeError):
    """GitHub did not answer, or with its own failure. The outcome of a write is unknown."""


class RateLimited(ForgeError):
    """GitHub asks to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"GitHub asks to wait {seconds:.0f} seconds")
        self.seconds = seconds


class ForgeRefused(ForgeError):
    """GitHub said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"GitHub answered {status}: {message[:500]}")
        self.status, self.message = status, message


class NotAsApproved(ForgeRefused):
    """What a person approved does not hold any more; GitHub was not even asked. The text is for that person."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message)

    def __str__(self) -> str:
        return self.message


class NotFound(ForgeRefused):
    """There is no such thing, or we may not see it."""


def sort_refusal(status: int, message: str, headers: Mapping[str, str]) -> ForgeRefused | RateLimited:
    """What a 4xx means: 403 and 429 can both be a limit of either kind."""
    low = message.lower()
    if status == 429 or (status == 403 and ("rate limit" in low or "retry-after" in headers)):
        return RateLimited(_wait(headers))
    if status in (404, 410):
        return NotFound(status, message)
    return ForgeRefused(status, message)


def sort_query_refusal(errors: Sequence[Mapping[str, Any]]) -> ForgeRefused | RateLimited:
    """What an answer of the GraphQL API means that holds errors: it says their kinds in words, under status 200."""
    message = str(errors[0].get("message", "")) if errors else "an error without a word"
    kinds = {str(each.get("type", "")) for each in errors}
    if "RATE_LIMITED" in kinds:
        return RateLimited(60.0)
    if "NOT_FOUND" in kinds:
        return NotFound(404, message)
    return ForgeRefused(403 if "FORBIDDEN" in kinds else 422, message)


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds to wait: as told, else until the reset, else a minute."""
    after = headers.get("retry-after", "")
    if after.isdigit():
        return float(after)
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - time.time())
    return 60.0
