"""The price of a request, and the most it can cost, by the list prices of `genai-prices`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache
from typing import Any, Final

_PROVIDER: Final = "anthropic"
_OVERHEAD_TOKENS: Final = 2_000
"""Tokens that the API adds of its own for tools and structure; far above what it documents."""
_IMAGE_TOKENS: Final = 5_000
"""The most that one image is read as, however few bytes it has been packed into."""
_DOCUMENT_TOKENS: Final = 1_000_000
"""A packed document can fill every context window."""
_ABROAD: Final = Decimal("1.1")
"""What the API multiplies by where the model is to run in one country. A workspace may ask for that by default, which
no request shows: so every worst case holds it."""
_FAST: Final = {"claude-opus-4-8": 2, "claude-opus-5": 2, "claude-opus-5-5": 2}
_FASTEST: Final = 6
"""What fast mode multiplies by: by model, and the most that it does for any."""
_EVERYWHERE: Final = (None, "", "global", "not_available")
_WINDOW: Final = 1_000_000
"""The largest context that any model reads."""
_EXTENDED: Final = ("claude-sonnet-4-0", "claude-sonnet-4-5")
"""Models listed with a smaller context that the beta feature `context-1m` widens to the largest, at a higher price."""


@dataclass(frozen=True, slots=True)
class Load:
    """The tokens that can at most be read for a request."""

    tokens: int
    """The most that its own input can be."""
    cached: str = "5m"
    """How long the cache is to keep what is written into it: "", `5m` or `1h`."""
    searches: int = 0
    """Most searches of the web. Each may bring in as much as a context holds, and have the model read it all again."""


@lru_cache(maxsize=64)
def is_priced(model: str) -> bool:
    """True where there is a list price for a model."""
    try:
        _list_price(model, input_tokens=1)
    except LookupError:
        return False
    return True


def price(model: str, usage: Mapping[str, Any]) -> int:
    """Microdollars for the usage that the API reported, rounded up.

    A model without a list price counts as the dearest that has one. Where the answer was made in several passes, each
    has a model of its own, and what they come to holds where it is more.
    """
    passes = [each for each in usage.get("iterations") or () if isinstance(each, dict)]
    searches = _count(usage.get("server_tool_use") or {}, "web_search_requests")
    looked_up = _dollars(model, web_searches=searches) if searches else Decimal(0)
    whole = _tokens(model, usage)
    common = {name: usage.get(name) for name in ("speed", "inference_geo")}
    single = sum(
        (_tokens(str(each.get("model") or model), common | each) for each in passes), Decimal(0)
    )
    return _micro(max(whole, single) + looked_up)


def weigh(body: Mapping[str, Any], size: int) -> int:
    """A request's size as if all of it were text: a token has at least one byte there, but not in a picture."""
    return size + packed(body.get("messages"))


def packed(value: Any) -> int:
    """Tokens of pictures and documents in a part of a request, which have few bytes for what they are read as."""
    weight, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += each.values()
            if isinstance(source := each.get("source"), dict) and source.get("type") != "text":
                weight += _IMAGE_TOKENS if each.get("type") == "image" else _DOCUMENT_TOKENS
    return weight


def kept_for(body: Mapping[str, Any]) -> str:
    """The time for which a request asks the cache to keep anything: "", `5m` or `1h`."""
    longest, left = "", [body]
    while left:
        each: Any = left.pop()
        if isinstance(each, list):
            left += each
        elif isinstance(each, dict):
            left += each.values()
            if (control := each.get("cache_control")) is not None:
                short = isinstance(control, dict) and control.get("ttl") in (None, "5m")
                longest = (longest or "5m") if short else "1h"
    return longest


def most_for_input(model: str, load: Load) -> int:
    """The most that the input of a request can cost.

    Nobody can know what is still in the cache: so all of it is read anew, and written where the request asks for that.
    """
    read = _most_read(model, load)
    counts = {"input_tokens": read}
    if load.cached:
        counts["cache_write_tokens"] = read
    if load.cached == "1h":
        counts["cache_write_1h_tokens"] = read
    dollars = _dollars(model, **counts)
    if load.searches:
        dollars += _dollars(model, web_searches=load.searches)
    return _micro(dollars * _ABROAD)


def most_for_output(model: str, load: Load, tokens: int) -> int:
    """The most that `tokens` of output can cost after this input (long inputs can cost more)."""
    read = _most_read(model, load)
    whole = _dollars(model, input_tokens=read, output_tokens=tokens) - _dollars(
        model, input_tokens=read
    )
    return _micro(whole * _ABROAD) + 1


def _most_read(model: str, load: Load) -> int:
    """Tokens of input that may be counted: after each search the model reads all again, and one price holds for all."""
    tokens = load.tokens + _OVERHEAD_TOKENS
    return tokens + load.searches * max(tokens, _window(model))


def most_for_rest(model: str, usage: Mapping[str, Any], tokens: int) -> int:
    """The most for an answer that broke off once its input was counted: that, and all the output that it may have."""
    return price(model, {**usage, "output_tokens": max(tokens, _count(usage, "output_tokens"))})


def _tokens(model: str, usage: Mapping[str, Any]) -> Decimal:
    written = _count(usage, "cache_creation_input_tokens")
    read = _count(usage, "cache_read_input_tokens")
    hour = _count(usage.get("cache_creation") or {}, "ephemeral_1h_input_tokens")
    dollars = _dollars(
        model,
        input_tokens=_count(usage, "input_tokens") + written + read,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(hour, written),
        output_tokens=_count(usage, "output_tokens"),
    )
    if usage.get("speed") not in (None, "", "standard"):
        dollars *= _FAST.get(model, _FASTEST)
    return dollars if usage.get("inference_geo") in _EVERYWHERE else dollars * _ABROAD


@lru_cache(maxsize=512)  # each request asks the same several times
def _dollars(model: str, **counts: int) -> Decimal:
    if is_priced(model):
        return _list_price(model, **counts)
    return max(_list_price(each, **counts) for each in _known())


def _list_price(model: str, **counts: int) -> Decimal:
    """Dollars by the list. Raises LookupError for a model that it does not have."""
    # with the HTTP client that it brings, megabytes that a server without work need not carry
    from genai_prices import Usage, calc_price  # noqa: PLC0415

    used = Usage(**{name: count for name, count in counts.items() if count})
    return Decimal(calc_price(used, model_ref=model, provider_id=_PROVIDER).total_price)


@lru_cache(maxsize=1)
def _known() -> tuple[str, ...]:
    return tuple(name for name in _windows() if is_priced(name))


@lru_cache(maxsize=1)
def _windows() -> dict[str, int]:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - as above

    own = next(provider for provider in get_snapshot().providers if provider.id == _PROVIDER)
    return {model.id: model.context_window or _WINDOW for model in own.models}


def _window(model: str) -> int:
    return _WINDOW if model in _EXTENDED else max(_windows().get(model, _WINDOW), 200_000)


def _micro(dollars: Decimal) -> int:
    return int((dollars * 1_000_000).to_integral_value(ROUND_CEILING))


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0
