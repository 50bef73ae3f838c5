"""What a benchmark reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its limit; `limit` None where it is only told."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    def __str__(self) -> str:
        shown = f"{self.name}: {self.value:.1f} {self.unit}"
        if self.limit is None:
            return shown
        return (
            f"{shown} (limit {self.limit:g} {self.unit}: {'kept' if self.value <= self.limit else 'MISSED'})"
        )


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
