"""The wishes of a command line for the pool that it opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.service.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptOptions:
    """The wishes of a command line for its pool."""

    settings: Settings
    folder: Path
    state: Path | None
    """Where its store is kept. None: in memory for a prompt, in a place of its own for a chain."""
    slots: int
    isolation: Isolation | None
    """None: nothing was said of it."""
    trusted: bool
    as_json: bool
    budget_usd: float | None
    effort: str | None
    timeout_secs: float | None = None
