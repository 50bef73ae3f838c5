"""One rating."""

from __future__ import annotations

import math
from dataclasses import dataclass

LOWEST = 0.5
HIGHEST = 5.0
STEPS = tuple(n / 2 for n in range(1, 11))


class RatingError(ValueError):
    """The text is not a rating."""


@dataclass(frozen=True, order=True)
class Rating:
    """A rating on the scale. Make one with `parse`."""

    value: float

    @classmethod
    def parse(cls, text: str) -> Rating:
        try:
            value = float(text.strip())
        except ValueError:
            raise RatingError(f"not a number: {text!r}") from None
        if not math.isfinite(value) or not LOWEST <= value <= HIGHEST:
            raise RatingError(f"not between {LOWEST} and {HIGHEST}: {text!r}")
        if value * 2 != int(value * 2):
            raise RatingError(f"not a multiple of half a star: {text!r}")
        return cls(value)
