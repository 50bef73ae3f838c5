"""Code scanning: uploads, the analyses that were made of them, and alerts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Location:
    """The place that an alert points to."""

    path: str
    start_line: int
    end_line: int
    start_column: int
    end_column: int


@dataclass(slots=True, eq=False)
class Alert:
    """One finding over all analyses of its tool, category and ref."""

    number: int
    tool: str
    category: str
    ref: str
    rule_id: str
    fingerprint: str
    location: Location
    severity: str
    security_severity: str
    description: str
    message: str
    commit_sha: str
    created_at: float
    state: Literal["open", "fixed", "dismissed"] = "open"
    fixed_at: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The fields that make it the same in the next analysis."""
        return self.rule_id, self.location.path, self.fingerprint


@dataclass(frozen=True, slots=True)
class Analysis:
    """The result of one run of an upload."""

    id: int
    sarif_id: str
    ref: str
    commit_sha: str
    category: str
    tool: str
    results: int
    rules: int
    created_at: float
    error: str = ""


@dataclass(slots=True, eq=False)
class Upload:
    """One upload; it is processed some time after it came in."""

    id: str
    commit_sha: str
    ref: str
    document: dict[str, object]
    due_at: float
    status: Literal["pending", "complete", "failed"] = "pending"
    errors: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Scanning:
    """Code scanning in one repository."""

    on: bool = True
    uploads: list[Upload] = field(default_factory=list)
    analyses: list[Analysis] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
