"""Counts for the bar chart."""

from __future__ import annotations

from typing import Iterable

from stars.rating import Rating


def histogram(ratings: Iterable[Rating]) -> dict[int, int]:
    """How many ratings there are per started star."""
    buckets = {star: 0 for star in range(6)}
    for rating in ratings:
        buckets[int(rating.value)] += 1
    return buckets


def widest(buckets: dict[int, int]) -> int:
    """The count of the longest bar, at least 1 so that it can be divided by."""
    return max(1, *buckets.values())
