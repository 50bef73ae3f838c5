"""Quotes for the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from shop.cache import cached
from shop.prices import unit_price

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Quote:
    article: str
    count: int
    total: Decimal


@cached(ttl=300)
def quote(article: str, count: int, *, trace: str | None = None) -> Quote:
    """The price of `count` pieces."""
    if count < 1:
        raise ValueError("count must be at least 1")
    total = unit_price(article, trace) * count
    if count >= 10:
        total *= Decimal("0.95")
    return Quote(article, count, total.quantize(CENT, ROUND_HALF_UP))
