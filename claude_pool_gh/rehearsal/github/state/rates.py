"""The counters behind the primary and the secondary rate limit."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """One token's hour."""

    until: float
    used: int = 0


@dataclass(slots=True)
class Rates:
    """The running hours by token, and the times of the last writes."""

    windows: dict[str, Window] = field(default_factory=dict)
    writes: deque[float] = field(default_factory=deque)
