"""Every room's tables, for migrations and their test."""

from __future__ import annotations

from claude_pool_gh.conversation import tables as conversation
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.github import tables as github
from claude_pool_gh.pool.store import tables as pool
from claude_pool_gh.storage import metadata

__all__ = ["conversation", "findings", "github", "metadata", "pool"]
