"""The facts of an effect as the writer gives them, for those who make one without a writer."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.github.effects.effect import Making
from claude_pool_gh.github.effects.marks import marker
from tests.github.test_answers import Services


def making(services: Services, key: str = "k", **more: Any) -> Making:
    """Of the first try, where nothing else is said."""
    return Making(key=key, repository=services.named, marker=marker(key), **more)
