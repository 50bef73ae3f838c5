"""A note that a database was restored from a copy, so that GitHub knows more than it."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.github import cursors
from claude_pool_gh.storage import Transaction

_NAME: Final = "restored"
_MONTH_MS: Final = 30 * 86_400_000


def note(tx: Transaction, now_ms: int) -> None:
    """Note that the database was restored now."""
    cursors.advance(tx, _NAME, str(now_ms))


def is_recent(tx: Transaction, now_ms: int) -> bool:
    """True where that was within the last thirty days: until then what is wanted may stand on GitHub already."""
    noted = cursors.position(tx, _NAME)
    return noted is not None and now_ms - int(noted) < _MONTH_MS
