"""The scripted model's own bill, kept apart from anything the product computes."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

_TOKENS: Final = 1_000_000

PRICES: Final[dict[str, tuple[str, str, str, str]]] = {
    # USD per million tokens: input, output, cache read, cache write (5 minutes)
    "claude-sonnet-5-5": ("2", "10", "0.1", "2.5"),
    "claude-opus-5-5": ("4", "20", "0.2", "5"),
    "claude-haiku-4-5": ("1", "5", "0.1", "1.25"),
}


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the API reports them. `input_tokens` excludes both kinds of cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0

    def price(self, model: str) -> int:
        """Microdollars, rounded up to a whole one. Raises KeyError for a model without a price here."""
        counts = (
            self.input_tokens,
            self.output_tokens,
            self.cache_read_input_tokens,
            self.cache_creation_input_tokens,
        )
        rates = (Fraction(rate) for rate in PRICES[model])
        dollars = sum(
            (count * rate for count, rate in zip(counts, rates, strict=True)), Fraction(0)
        )
        return -int(-(dollars * 1_000_000 / _TOKENS) // 1)


@dataclass(slots=True)
class Bill:
    """Every request that was answered, in order, with what it used."""

    items: list[tuple[str, Usage]] = field(default_factory=list)

    def add(self, model: str, usage: Usage) -> None:
        """Book one answered request."""
        self.items.append((model, usage))

    @property
    def total(self) -> int:
        """Microdollars over all requests, each rounded up by itself as the API's own bill is."""
        return sum(usage.price(model) for model, usage in self.items)
