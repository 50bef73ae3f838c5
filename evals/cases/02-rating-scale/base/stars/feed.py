"""Reading a partner's feed: one `product;rating` per line."""

from __future__ import annotations

from typing import Iterable

from stars.rating import Rating, RatingError


def read_feed(lines: Iterable[str]) -> tuple[dict[str, list[Rating]], list[str]]:
    """The ratings by product, and the lines that were refused."""
    ratings: dict[str, list[Rating]] = {}
    refused: list[str] = []
    for line in lines:
        product, separator, text = line.partition(";")
        if not separator or not product.strip():
            refused.append(line)
            continue
        try:
            rating = Rating.parse(text)
        except RatingError:
            refused.append(line)
            continue
        ratings.setdefault(product.strip(), []).append(rating)
    return ratings, refused
