"""The values of an overview: a row for each repository, and what they come to together.

Money is integer microdollars, times are milliseconds since 1970 (UTC).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from claude_pool_gh.audits.model import AuditResult, AuditState, Completeness
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.terms.severity import Severity


class RowState(StrEnum):
    """The outcome of a repository."""

    clean = "clean"
    findings = "findings"
    partial = "partly audited"
    """Something of it was not read or not settled: what is missing says nothing."""
    not_audited = "not audited"
    """Nothing of it was read; the reason stands beside it."""
    waiting = "not finished"
    """The command was stopped before; the same command resumes it."""


COVERED: Final = frozenset({RowState.clean, RowState.findings})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A repository, and what came of its audit."""

    repository: str
    """`owner/name`."""
    state: RowState
    reason: str = ""
    """Why it was not audited, or not whole."""
    commit: str = ""
    open: Mapping[Severity, int] = field(default_factory=dict)
    new: int = 0
    fixed: int = 0
    unsettled: int = 0
    files_read: int = 0
    files_unread: int = 0
    cost: int = 0
    cost_is_bound: bool = False
    report: str = ""
    """The path of its own report, from the overview's folder; "" where there is none."""

    @property
    def standing(self) -> int:
        """The number of open findings."""
        return sum(self.open.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The audits of many repositories."""

    audit: str
    source: str
    """Which repositories were asked for, in words."""
    rows: tuple[Row, ...]
    budget: int
    started_ms: int
    ended_ms: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many repositories the filters left out, for each reason."""

    @property
    def cost(self) -> int:
        """The cost of all."""
        return sum(row.cost for row in self.rows)

    @property
    def cost_is_bound(self) -> bool:
        """True where some cost is only known to be no more."""
        return any(row.cost_is_bound for row in self.rows)

    @property
    def open(self) -> Mapping[Severity, int]:
        """The open findings of all by severity."""
        counts: Counter[Severity] = Counter()
        for row in self.rows:
            counts.update(row.open)
        return {severity: counts[severity] for severity in summary.SEVERITIES}

    @property
    def covered(self) -> int:
        """The number of repositories that were audited whole."""
        return sum(row.state in COVERED for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """True where every repository was audited whole."""
        return bool(self.rows) and self.covered == len(self.rows)


def row_of(result: AuditResult, repository: str, report: str) -> Row:
    """The row of a repository whose audit has a result, whole or in part."""
    return Row(
        repository=repository,
        state=_state(result),
        reason=" ".join(summary.missing(result)),
        commit=result.plan.commit,
        open=result.by_severity(),
        new=len(result.in_state(AuditState.new)),
        fixed=summary.fixed_now(result),
        unsettled=result.unjudged,
        files_read=result.coverage.files_read,
        files_unread=result.coverage.files_unread,
        cost=result.cost,
        cost_is_bound=result.cost_is_bound,
        report=report,
    )


def _state(result: AuditResult) -> RowState:
    if result.completeness is Completeness.nothing:
        return RowState.not_audited
    if result.completeness is Completeness.partial or result.problems or result.unjudged:
        return RowState.partial
    return RowState.findings if result.standing else RowState.clean
