"""What can go wrong with GitHub.

ForgeError
|- ForgeUnavailable   no answer, or 5xx: what was asked may or may not have happened
|- RateLimited        asked to wait; `seconds` says how long
|- ForgeRefused       4xx: it did not happen and will not by asking again
   `- NotFound        404 or 410
"""

from __future__ import annotations


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


class NotFound(ForgeRefused):
    """There is no such thing, or we may not see it."""
