"""Those who hear what became of an effect, and the ones that do nothing of it."""

from __future__ import annotations

from collections.abc import Callable

from claude_pool_gh.github.effects.rows import EffectRow, Unreadable
from claude_pool_gh.github.errors import ForgeRefused

Refused = Callable[[EffectRow | Unreadable, ForgeRefused], None]
"""Hears of each effect that will not be written, and in which words."""


def unheard(row: EffectRow | Unreadable, refusal: ForgeRefused) -> None:
    """Hears of it, and does nothing."""


Watched = Callable[[EffectRow, str, int, int], None]
"""Hears of each try that is over: how it ended, in a word, and its first and last millisecond."""


def unwatched(row: EffectRow, outcome: str, begin_ms: int, end_ms: int) -> None:
    """Hears of it, and does nothing."""
