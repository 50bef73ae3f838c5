"""A small cache for slow look-ups."""

from __future__ import annotations

import functools
import time
from typing import Any, Callable, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_now = time.monotonic


def cached(ttl: float) -> Callable[[F], F]:
    """Remember a function's results for `ttl` seconds.

    Keyword arguments are handed through, like the trace id of a request.
    """

    def wrap(function: F) -> F:
        results: dict[tuple[Any, ...], tuple[float, Any]] = {}

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            hit = results.get(args)
            if hit is not None and _now() - hit[0] < ttl:
                return hit[1]
            value = function(*args, **kwargs)
            results[args] = (_now(), value)
            return value

        call.forget = results.clear  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return wrap
