"""Finds the kinds of effects: every class in a file of this package."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

from claude_pool_gh.github import effects
from claude_pool_gh.github.effects.effect import KINDS, Effect


def kinds() -> Mapping[str, type[Effect]]:
    """Every kind of effect by its name."""
    _load()
    return KINDS


def read(stored: Mapping[str, Any]) -> Effect:
    """The effect in a row. Raises ValueError for a kind that nobody has defined."""
    kind = kinds().get(str(stored.get("kind")))
    if kind is None:
        raise ValueError(
            f"no effect is called {stored.get('kind')!r}: its class is missing in this version"
        )
    return kind.model_validate(stored)


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(effects.__path__, f"{effects.__name__}."):
        import_module(module.name)
