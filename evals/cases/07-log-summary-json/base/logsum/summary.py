"""Counting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Iterable

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass
class Summary:
    lines: int = 0
    levels: Counter[str] = field(default_factory=Counter)


def summarise(lines: Iterable[str]) -> Summary:
    """Count lines by level."""
    summary = Summary()
    for line in lines:
        parts = line.split(maxsplit=2)
        level = parts[1] if len(parts) > 1 and parts[1] in LEVELS else "other"
        summary.lines += 1
        summary.levels[level] += 1
    return summary
