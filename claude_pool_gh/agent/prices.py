"""What a request costs, and the most it can cost, by the list prices of `genai-prices`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any, Final

from genai_prices import Usage, calc_price

_PROVIDER: Final = "anthropic"
_OVERHEAD_TOKENS: Final = 2_000
"""Tokens that the API adds of its own for tools and structure; far above what it documents."""
_IMAGE_TOKENS: Final = 5_000
"""The most that one image is read as, however few bytes it has been packed into."""
_DOCUMENT_TOKENS: Final = 1_000_000
"""A packed document can fill every context window."""


@lru_cache(maxsize=64)
def is_priced(model: str) -> bool:
    """Whether there is a list price for a model."""
    try:
        calc_price(Usage(input_tokens=1), model_ref=model, provider_id=_PROVIDER)
    except LookupError:
        return False
    return True


def price(model: str, usage: Mapping[str, Any]) -> int:
    """Microdollars for the usage that the API reported, rounded up. Raises LookupError without a price."""
    written = _count(usage, "cache_creation_input_tokens")
    read = _count(usage, "cache_read_input_tokens")
    hour = _count(usage.get("cache_creation") or {}, "ephemeral_1h_input_tokens")
    return _price(
        model,
        input_tokens=_count(usage, "input_tokens") + written + read,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(hour, written),
        output_tokens=_count(usage, "output_tokens"),
        web_searches=_count(usage.get("server_tool_use") or {}, "web_search_requests"),
    )


def weigh(body: Mapping[str, Any], size: int) -> int:
    """A request's size as if all of it were text: a token has at least one byte there, but not in a picture."""
    weight, left = size, list(body.get("messages") or ())
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            packed = isinstance(source := value.get("source"), dict) and source.get("type") != "text"
            if packed:
                weight += _IMAGE_TOKENS if value.get("type") == "image" else _DOCUMENT_TOKENS
    return weight


def most_for_input(model: str, size: int) -> int:
    """The most that the input of a request of `size` (see `weigh`) can cost.

    The dearest way to read a token is to write it into the cache for an hour.
    """
    tokens = size + _OVERHEAD_TOKENS
    return _price(model, input_tokens=tokens, cache_write_tokens=tokens, cache_write_1h_tokens=tokens)


def most_for_output(model: str, size: int, tokens: int) -> int:
    """The most that `tokens` of output can cost after an input of `size` (long inputs can cost more)."""
    whole = _price(model, input_tokens=size + _OVERHEAD_TOKENS, output_tokens=tokens)
    return whole - _price(model, input_tokens=size + _OVERHEAD_TOKENS) + 1


def _price(model: str, **counts: int) -> int:
    used = {name: count for name, count in counts.items() if count}
    dollars = calc_price(Usage(**used), model_ref=model, provider_id=_PROVIDER).total_price
    return int((Decimal(dollars) * 1_000_000).to_integral_value(ROUND_CEILING))


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0
