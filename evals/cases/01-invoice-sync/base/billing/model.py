"""Records shared by the API and the sync."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional


@dataclass(frozen=True)
class Invoice:
    number: str
    account: str
    amount_cents: int
    status: str = "open"  # open, paid, void


@dataclass
class Page:
    """One answer of the API. `next_offset` is None on the last page."""

    items: list[Invoice] = field(default_factory=list)
    next_offset: Optional[int] = None
