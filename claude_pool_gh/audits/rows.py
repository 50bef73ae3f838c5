"""The rows that are kept of audits beside their findings: each run, and what a finding has besides its place.

The findings themselves stand in the table of all findings, under the name of the audit in place of a thread's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.audits.estimate import PastRun
from claude_pool_gh.audits.model import Completeness, HistoryPoint
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.storage import Transaction, insert_once, metadata
from claude_pool_gh.terms.severity import Severity

MOST_KEPT: Final = 200
"""Runs of one audit that are kept."""

audit_runs: Final = sa.Table(
    "audit_runs",
    metadata,
    sa.Column("chain_id", sa.String(64), primary_key=True),
    sa.Column("audit", sa.String(128), nullable=False),
    sa.Column("commit", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("started_ms", sa.BigInteger, nullable=False),
    sa.Column("ended_ms", sa.BigInteger, nullable=False),
    sa.Column("completeness", sa.String(16), nullable=False),
    sa.Column("everything", sa.Boolean, nullable=False),
    sa.Column("standing", sa.JSON, nullable=False),
    sa.Column("new", sa.Integer, nullable=False),
    sa.Column("fixed", sa.Integer, nullable=False),
    sa.Column("cost", sa.BigInteger, nullable=False),
    sa.Column("tokens", sa.BigInteger, nullable=False),
    sa.Column("shards", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Index("ix_audit_runs_audit", "audit", "ended_ms"),
)

audit_findings: Final = sa.Table(
    "audit_findings",
    metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("audit", sa.String(128), nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("verified", sa.Boolean, nullable=False),
    sa.Column("seen", sa.Integer, nullable=False),
    sa.Column("also", sa.JSON, nullable=False),
    sa.Index("ix_audit_findings_audit", "audit"),
)

_R: Final = audit_runs.c
_F: Final = audit_findings.c


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRun:
    """A run that has ended."""

    chain_id: str
    audit: str
    """See `audit_key`."""
    digest: str
    """Of all that decides what it finds besides the code: configuration, recipe, skills, model, guidance."""
    started_ms: int
    everything: bool
    """Whether it was asked to read the whole repository."""
    point: HistoryPoint
    past: PastRun


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrait:
    """The traits that a finding of an audit has besides its place."""

    rule: str
    verified: bool
    seen: int = 1
    also: tuple[Finding, ...] = ()


def audit_key(repository_id: int, name: str) -> str:
    """Names an audit of a repository in our rows; stands where a thread's key stands for a review's findings."""
    return f"{repository_id}:audit:{name}"


def remember_run(tx: Transaction, run: AuditRun) -> None:
    """Store a run's end once, and forget the oldest beyond `MOST_KEPT`."""
    point, past = run.point, run.past
    insert_once(
        tx,
        audit_runs,
        {
            "chain_id": run.chain_id,
            "audit": run.audit,
            "commit": point.commit,
            "digest": run.digest,
            "started_ms": run.started_ms,
            "ended_ms": point.ended_ms,
            "completeness": point.completeness.value,
            "everything": run.everything,
            "standing": {severity.value: count for severity, count in point.open.items()},
            "new": point.new,
            "fixed": point.fixed,
            "cost": point.cost,
            "tokens": past.tokens,
            "shards": past.shards,
            "seconds": past.seconds,
        },
    )
    newest = (
        sa.select(_R.chain_id)
        .where(_R.audit == run.audit)
        .order_by(_R.ended_ms.desc(), _R.chain_id)
        .limit(MOST_KEPT)
    )
    kept = [str(row.chain_id) for row in tx.execute(newest)]
    if len(kept) == MOST_KEPT:
        tx.execute(audit_runs.delete().where(_R.audit == run.audit, _R.chain_id.not_in(kept)))


def runs_of(tx: Transaction, audit: str, *, last: int = 30) -> list[AuditRun]:
    """The newest runs of an audit, the newest first."""
    asked = (
        sa.select(audit_runs)
        .where(_R.audit == audit)
        .order_by(_R.ended_ms.desc(), _R.chain_id)
        .limit(last)
    )
    return [_run(row) for row in tx.execute(asked)]


def last_complete(tx: Transaction, audit: str) -> AuditRun | None:
    """The newest run that read all that there was to read of the whole repository."""
    whole = sa.and_(
        _R.audit == audit, _R.everything, _R.completeness == Completeness.complete.value
    )
    row = tx.execute(
        sa.select(audit_runs).where(whole).order_by(_R.ended_ms.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _run(row)


def names_of(tx: Transaction, repository_id: int) -> list[str]:
    """The audits that a repository has had, by their names."""
    begin = audit_key(repository_id, "")
    asked = sa.select(_R.audit).where(_R.audit.startswith(begin, autoescape=True)).distinct()
    return sorted(str(row.audit).removeprefix(begin) for row in tx.execute(asked))


def traits_of(tx: Transaction, audit: str) -> dict[str, AuditTrait]:
    """The known traits of each finding of an audit, by its name."""
    begin = f"{audit}."
    return {
        str(row.id).removeprefix(begin): AuditTrait(
            rule=row.rule,
            verified=row.verified,
            seen=row.seen,
            also=tuple(map(Finding.model_validate, row.also)),
        )
        for row in tx.execute(sa.select(audit_findings).where(_F.audit == audit))
    }


def note_traits(tx: Transaction, audit: str, found: Mapping[str, AuditTrait]) -> None:
    """Store what a run says of its findings; one that was known has been seen once more."""
    for mark, trait in found.items():
        values: dict[str, Any] = {
            "rule": trait.rule,
            "verified": trait.verified,
            "also": _stored(trait.also),
        }
        own = {"id": f"{audit}.{mark}", "audit": audit, "seen": 1}
        if not insert_once(tx, audit_findings, own | values):
            again = audit_findings.update().where(_F.id == own["id"])
            tx.execute(again.values(**values, seen=_F.seen + 1))


def _stored(also: Iterable[Finding]) -> list[Any]:
    return [each.model_dump(mode="json") for each in also]


def _run(row: sa.Row[Any]) -> AuditRun:
    standing = {Severity(name): int(number) for name, number in row.standing.items()}
    return AuditRun(
        chain_id=row.chain_id,
        audit=row.audit,
        digest=row.digest,
        started_ms=row.started_ms,
        everything=row.everything,
        point=HistoryPoint(
            ended_ms=row.ended_ms,
            commit=row.commit,
            open=standing,
            new=row.new,
            fixed=row.fixed,
            completeness=Completeness(row.completeness),
            cost=row.cost,
        ),
        past=PastRun(tokens=row.tokens, cost=row.cost, seconds=row.seconds, shards=row.shards),
    )
