"""The price list."""

from __future__ import annotations

import logging
from decimal import Decimal

log = logging.getLogger(__name__)

_PRICES = {"mug": Decimal("8.50"), "shirt": Decimal("24.00"), "cap": Decimal("15.90")}


class UnknownArticle(KeyError):
    """There is no price for the article."""


def unit_price(article: str, trace: str | None = None) -> Decimal:
    """The price of one piece in euros."""
    log.info("price of %s (trace %s)", article, trace)
    try:
        return _PRICES[article]
    except KeyError:
        raise UnknownArticle(article) from None
