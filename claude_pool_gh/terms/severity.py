"""The severity of a finding."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """From a flaw that hardly matters to one that must not be merged."""

    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)
