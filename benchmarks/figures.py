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
    least: bool = False
    """The limit is the least that will do, not the most."""

    @property
    def missed(self) -> bool:
        """Whether it lies on the wrong side of its limit."""
        if self.limit is None:
            return False
        return self.value < self.limit if self.least else self.value > self.limit

    def __str__(self) -> str:
        shown = f"{self.name}: {self.value:.{2 if self.unit == 'times' else 1}f} {self.unit}"
        if self.limit is None:
            return shown
        side = "at least" if self.least else "at most"
        return f"{shown} ({side} {self.limit:g} {self.unit}: {'MISSED' if self.missed else 'kept'})"


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
