"""Every room's tables, for migrations and their test."""

from __future__ import annotations

from claude_pool_gh.storage import metadata

__all__ = ["metadata"]
