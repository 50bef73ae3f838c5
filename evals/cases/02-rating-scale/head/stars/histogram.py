"""Counts for the bar chart."""

from __future__ import annotations

from typing import Iterable

from stars.rating import STEPS, Rating


def histogram(ratings: Iterable[Rating]) -> dict[float, int]:
    """How many ratings there are per half star."""
    buckets = {step: 0 for step in STEPS}
    for rating in ratings:
        buckets[rating.value] += 1
    return buckets


def widest(buckets: dict[float, int]) -> int:
    """The count of the longest bar, at least 1 so that it can be divided by."""
    return max(1, *buckets.values())
