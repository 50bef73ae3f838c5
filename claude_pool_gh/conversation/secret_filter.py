"""The last look at what leaves: a post that holds a secret does not, and says so.

A secret is a key of this server or one of a known format. What only looks random costs that token, not the post.
"""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Final

from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.reports.redact import Redactor, veiled
from claude_pool_gh.reports.replies import withheld
from claude_pool_gh.reports.secrets import secrets

_OURS: Final = "a key of this server"


def without_secrets(redactor: Redactor) -> Callable[[Effect], Effect]:
    """Puts a harmless effect in the place of one whose text holds what looks like a secret."""

    def held(*texts: str) -> tuple[str, ...]:
        whole = "\n".join(texts)
        own = (_OURS,) if redactor.holds(whole) else ()
        return (*own, *secrets(unescape(whole)))

    def holds(*texts: str) -> bool:
        return bool(held(*texts))

    def screen(effect: Effect) -> Effect:
        found = held(*effect.texts())
        harmless = effect.withheld(withheld(found), holds) if found else effect
        return harmless.reworded(veiled)

    return screen
