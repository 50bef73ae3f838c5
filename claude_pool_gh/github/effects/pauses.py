"""The pauses after which any process tries an effect again: a wait of `stamina` would end with this one."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Final

from claude_pool_gh.github.errors import RateLimited

LONGEST_WAIT_MS: Final = 3_600_000
"""Nothing is put off for longer: what is due later than that was put off before the clock was set back."""
_LONGEST_AT_FIRST: Final = 60.0
"""Seconds between two tries at first: what an outage has held up follows soon after it."""
_PATIENT_TRIES: Final = 60
"""Tries after which an outage is a long one."""
_DOUBLED: Final = 6
"""Times that a limit of which no length is told is doubled at most."""


class Limits:
    """Times for which GitHub is asked for nothing, by installation: longer each time in a row if it tells no length."""

    def __init__(self) -> None:
        self.until: dict[int, float] = {}
        """In seconds of the monotonic clock."""
        self._in_a_row: Counter[int] = Counter()

    def due_after(self, installation: int, limit: RateLimited, now_ms: int) -> int:
        """The time at which the limit that GitHub has answered with now is over."""
        again = 0 if limit.told else min(self._in_a_row[installation], _DOUBLED)
        due = due_after(now_ms, limit.seconds * 2**again)
        self.until[installation] = time.monotonic() + (due - now_ms) / 1000
        self._in_a_row[installation] += 1
        return due

    def is_on(self, installation: int) -> bool:
        """True until the limit is over."""
        return time.monotonic() < self.until.get(installation, 0)

    def over(self, installation: int) -> None:
        """GitHub has taken something again."""
        del self._in_a_row[installation]


def backoff(interval: float, tries: int) -> float:
    """Seconds after so many tries that failed. `interval`: between two writes of one installation."""
    return float(max(interval, 0.05) * 2 ** min(tries, 17))


def shortened(seconds: float, tries: int) -> float:
    """These seconds, or fewer where it has not failed often yet."""
    return seconds if tries >= _PATIENT_TRIES else min(seconds, _LONGEST_AT_FIRST)


def due_after(now_ms: int, seconds: float) -> int:
    """The time after a pause and up to a fifth more, so that not all come at once; never beyond the longest wait."""
    pause = seconds * random.uniform(1.0, 1.2) * 1000  # noqa: S311 - no secret
    return now_ms + min(int(pause), LONGEST_WAIT_MS)
