"""The time that the simulated GitHub lives in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(slots=True)
class Clock:
    """Real time plus what a test has skipped, so that a token can expire without anybody waiting an hour."""

    skipped: float = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.skipped

    def advance(self, seconds: float) -> None:
        """Let that much time pass at once."""
        self.skipped += seconds


def iso(seconds: float) -> str:
    """A moment in the form GitHub's JSON uses."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> float:
    """A moment out of a client's query or body."""
    return datetime.fromisoformat(text).timestamp()
