"""The pauses after which any process tries an effect again: a wait of `stamina` would end with this one."""

from __future__ import annotations

import random
from typing import Final

LONGEST_WAIT_MS: Final = 3_600_000
"""Nothing is put off for longer: what is due later than that was put off before the clock was set back."""
_LONGEST_AT_FIRST: Final = 60.0
"""Seconds between two tries at first: what an outage has held up follows soon after it."""
_PATIENT_TRIES: Final = 60
"""Tries after which an outage is a long one."""


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
