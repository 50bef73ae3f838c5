"""What a benchmark reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its limit and its goal; None where there is none."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    least: bool = False
    """The limit and the goal are the least that will do, not the most."""
    goal: float | None = None
    """What it is to become: told, and no fault yet where it is not reached."""

    @property
    def missed(self) -> bool:
        """Whether it lies on the wrong side of its limit."""
        return self.limit is not None and not self._holds(self.limit)

    def _holds(self, bound: float) -> bool:
        return self.value >= bound if self.least else self.value <= bound

    def __str__(self) -> str:
        shown = f"{self.name}: {self.value:.{2 if self.unit == 'times' else 1}f} {self.unit}"
        side = "at least" if self.least else "at most"
        told = []
        if self.limit is not None:
            told.append(f"{side} {self.limit:g} {self.unit}: {'MISSED' if self.missed else 'kept'}")
        if self.goal is not None:
            reached = "reached" if self._holds(self.goal) else "not reached"
            told.append(f"goal {side} {self.goal:g} {self.unit}: {reached}")
        return f"{shown} ({'; '.join(told)})" if told else shown


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which `part` of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
