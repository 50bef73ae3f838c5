"""A result as JSON with types, for programs: everything that the other reports are made of, uncut."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditResult,
    AuditState,
    Completeness,
    ShardState,
    SkipReason,
)
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports.redact import blanked
from claude_pool_gh.terms.severity import Severity

FORM: Final = 1
"""Goes up where a field is taken away or comes to mean something else."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Part):
    """Lines of a file, from its root, the first line being 1."""

    path: str
    start_line: int
    end_line: int


class ReportedFinding(_Part):
    """One defect. Title, body, scenario, evidence and suggestion are an agent's words."""

    id: str
    rule: str
    state: AuditState
    severity: Severity
    confidence: float
    title: str
    body: str
    scenario: str
    evidence: str
    suggestion: str | None
    place: Place
    also: tuple[Place, ...]
    commit: Annotated[str, Field(description="At which the lines are what they are")]
    verified: Annotated[bool, Field(description="A second agent confirmed it")]
    read_in_this_run: bool
    first_found_ms: int
    settled_ms: int | None
    settled_by: str
    reason: str
    times_found: int
    file_gone: bool


class ReportedShard(_Part):
    """The outcome of one shard."""

    id: str
    title: str
    state: ShardState
    reason: str
    files: int
    paths: tuple[str, ...]
    not_opened: Annotated[tuple[str, ...], Field(description="Nobody read these of its paths")]
    stated: int
    kept: int
    cost_microdollars: int
    seconds: float


class ReportedSkip(_Part):
    """A file, or a folder whose path ends with a slash, that was left out before the audit began."""

    path: str
    reason: SkipReason
    detail: str
    overridden: bool
    files: int


class UnsettledClaim(_Part):
    """A claim of which nobody could say whether it is true."""

    title: str
    path: str
    line: int
    severity: Severity
    reason: str


class PastRun(_Part):
    """One run, for the trend."""

    ended_ms: int
    commit: str
    open: dict[Severity, int]
    new: int
    fixed: int
    completeness: Completeness
    cost_microdollars: int


class Coverage(_Part):
    """The files that were read and those that were not."""

    files_read: int
    files_not_read: int
    shards: tuple[ReportedShard, ...]
    left_out: tuple[ReportedSkip, ...]


class NotListed(_Part):
    """Claims that are counted only."""

    refuted: int
    unplaced: int
    malformed: int
    beyond_limit: int
    unverified: int


class Report(_Part):
    """A whole report. Times are milliseconds since 1970 (UTC), money is microdollars."""

    form: Literal[1] = FORM
    audit: str
    repository: str
    commit: str
    branch: str
    verdict: str
    clean: Annotated[bool, Field(description="Nothing stands and nothing is missing")]
    completeness: Completeness
    open: dict[Severity, int]
    findings: tuple[ReportedFinding, ...]
    unsettled: tuple[UnsettledClaim, ...]
    coverage: Coverage
    not_listed: NotListed
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    resume: str
    cost_microdollars: int
    cost_is_upper_bound: bool
    budget_microdollars: int
    started_ms: int
    ended_ms: int
    history: tuple[PastRun, ...]
    run: str


def report(result: AuditResult) -> Report:
    """The report of a result."""
    plan = result.plan
    return Report(
        audit=plan.audit,
        repository=plan.repository,
        commit=plan.commit,
        branch=plan.branch,
        verdict=summary.verdict(result).text,
        clean=result.is_clean,
        completeness=result.completeness,
        open=dict(result.by_severity()),
        findings=tuple(map(_finding, result.findings)),
        unsettled=tuple(
            UnsettledClaim(
                title=each.title,
                path=each.path,
                line=each.line,
                severity=each.severity,
                reason=each.reason,
            )
            for each in result.unsettled
        ),
        coverage=_coverage(result),
        not_listed=NotListed(
            refuted=result.refuted,
            unplaced=result.unplaced,
            malformed=result.malformed,
            beyond_limit=result.beyond_limit,
            unverified=result.unverified,
        ),
        problems=tuple(summary.missing(result)),
        notices=plan.notices,
        resume=result.resume,
        cost_microdollars=result.cost,
        cost_is_upper_bound=result.cost_is_bound,
        budget_microdollars=plan.budget,
        started_ms=result.started_ms,
        ended_ms=result.ended_ms,
        history=tuple(
            PastRun(
                ended_ms=each.ended_ms,
                commit=each.commit,
                open=dict(each.open),
                new=each.new,
                fixed=each.fixed,
                completeness=each.completeness,
                cost_microdollars=each.cost,
            )
            for each in result.history
        ),
        run=result.chain,
    )


def document(result: AuditResult) -> str:
    """The report as text."""
    return report(result).model_dump_json(indent=2) + "\n"


def _finding(each: AuditFinding) -> ReportedFinding:
    finding = each.finding
    return ReportedFinding(
        id=each.id,
        rule=each.rule,
        state=each.state,
        severity=each.severity,
        confidence=finding.confidence,
        title=finding.title,
        body=finding.body,
        scenario=finding.scenario,
        evidence=blanked(finding.evidence),
        suggestion=None if finding.suggestion is None else blanked(finding.suggestion),
        place=_place(finding),
        also=tuple(map(_place, each.also)),
        commit=each.commit,
        verified=each.verified,
        read_in_this_run=each.reread,
        first_found_ms=each.first_ms,
        settled_ms=each.settled_ms or None,
        settled_by=each.settled_by,
        reason=each.reason,
        times_found=each.seen,
        file_gone=each.file_gone,
    )


def _text(text: str) -> str:
    """A name that git has, readable by whoever reads JSON: bytes that are no UTF-8 are written as what they are."""
    return text.encode(errors="backslashreplace").decode()


def _place(finding: Finding) -> Place:
    return Place(path=finding.path, start_line=finding.start_line, end_line=finding.end_line)


def _coverage(result: AuditResult) -> Coverage:
    coverage = result.coverage
    return Coverage(
        files_read=coverage.files_read,
        files_not_read=coverage.files_unread,
        shards=tuple(
            ReportedShard(
                id=each.shard.id,
                title=each.shard.title,
                state=each.state,
                reason=each.reason,
                files=each.shard.files,
                paths=each.shard.paths,
                not_opened=each.unopened,
                stated=each.stated,
                kept=each.kept,
                cost_microdollars=each.cost,
                seconds=each.seconds,
            )
            for each in coverage.shards
        ),
        left_out=tuple(
            ReportedSkip(
                path=_text(each.path),
                reason=each.reason,
                detail=_text(each.detail),
                overridden=each.overridden,
                files=each.files,
            )
            for each in coverage.skipped
        ),
    )
