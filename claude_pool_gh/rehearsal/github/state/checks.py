"""Check runs and statuses of commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from claude_pool_gh.rehearsal.github.state.people import App, User


@dataclass(slots=True, eq=False)
class CheckRun:
    """One check run; its annotations only ever grow."""

    id: int
    suite_id: int
    app: App | None
    head_sha: str
    name: str
    status: str
    conclusion: str | None = None
    started_at: float | None = None
    completed_at: float | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """One status on a commit; the newest of a context counts."""

    id: int
    sha: str
    creator: User
    state: str
    context: str
    description: str | None
    target_url: str | None
    created_at: float
