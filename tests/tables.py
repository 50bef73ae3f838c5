"""Every package's tables, to compare with what the migrations make."""

from __future__ import annotations

from claude_pool_gh.audits import reads, schedule_rows
from claude_pool_gh.audits import rows as audits
from claude_pool_gh.findings import tables as findings
from claude_pool_gh.github import decisions
from claude_pool_gh.github import tables as github
from claude_pool_gh.pool.store import tables as pool
from claude_pool_gh.storage import metadata, server_settings

pool.partial_indexes()
github.partial_indexes()

__all__ = [
    "audits",
    "decisions",
    "findings",
    "github",
    "metadata",
    "pool",
    "reads",
    "schedule_rows",
    "server_settings",
]
