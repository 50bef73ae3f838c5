"""Results of audits for tests."""

from __future__ import annotations

import hashlib
from typing import Any

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditPlan,
    AuditResult,
    AuditState,
    Completeness,
    Coverage,
    Cut,
    Estimate,
    HistoryPoint,
    Range,
    Shard,
    ShardResult,
    ShardState,
    SkippedFile,
    SkipReason,
    UnsettledClaim,
)
from claude_pool_gh.audits.outputs import issue, summary
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

COMMIT = "c0ffee" + "0" * 34
DAY = 86_400_000
START = 1_796_083_200_000  # 1 December 2026
HOME = "https://github.example/octo/shop"


def shard(number: int, *paths: str) -> Shard:
    return Shard(
        id=f"{number:010x}",
        title=f"shop/{number}",
        paths=paths or (f"shop/{number}.py",),
        tokens=9_000,
        size=30_000,
    )


def plan(*shards: Shard, **fields: Any) -> AuditPlan:
    values: dict[str, Any] = {
        "audit": "defects",
        "repository": "octo/shop",
        "commit": COMMIT,
        "branch": "main",
        "by": Cut.size,
        "shards": shards or (shard(1),),
        "estimate": Estimate(
            tokens=9_000,
            cost=Range(low=1_000_000, likely=2_000_000, high=4_000_000),
            seconds=Range(low=60, likely=120, high=300),
        ),
        "budget": 20_000_000,
        "slots": 4,
    }
    return AuditPlan(**(values | fields))


def name(number: int) -> str:
    """The id of a defect."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:20]


def defect(number: int = 1, **fields: Any) -> AuditFinding:
    """A finding that stands; `stated` holds fields of what the agent said."""
    stated = {
        "path": f"shop/prices_{number % 7}.py",
        "start_line": number + 1,
        "end_line": number + 1,
        "title": f"The rebate is taken twice ({number})",
    } | fields.pop("stated", {})
    values: dict[str, Any] = {
        "id": name(number),
        "rule": "defects/wrong-result",
        "finding": finding(**stated),
        "state": AuditState.open,
        "commit": COMMIT,
        "verified": True,
        "reread": True,
        "first_ms": START - 9 * DAY,
    }
    return AuditFinding(**(values | fields))


def point(number: int, **fields: Any) -> HistoryPoint:
    values: dict[str, Any] = {
        "ended_ms": START - (10 - number) * DAY,
        "commit": COMMIT,
        "open": {Severity.high: number, Severity.low: 1},
        "new": 1,
        "fixed": 0,
        "completeness": Completeness.complete,
        "cost": 3_000_000,
    }
    return HistoryPoint(**(values | fields))


def result(*findings: AuditFinding, **fields: Any) -> AuditResult:
    planned = fields.pop("plan", plan())
    coverage = Coverage(
        shards=tuple(
            ShardResult(shard=each, state=ShardState.read, cost=500_000) for each in planned.shards
        ),
        skipped=planned.skipped,
    )
    values: dict[str, Any] = {
        "plan": planned,
        "coverage": coverage,
        "completeness": Completeness.complete,
        "findings": findings,
        "cost": 3_250_000,
        "started_ms": START,
        "ended_ms": START + 184_000,
        "chain": "c-0123456789",
    }
    return AuditResult(**(values | fields))


def partial(*findings: AuditFinding, **fields: Any) -> AuditResult:
    """One of three shards failed, one did not start."""
    three = plan(shard(1), shard(2), shard(3, "shop/a.py", "shop/b.py"))
    coverage = Coverage(
        shards=(
            ShardResult(shard=three.shards[0], state=ShardState.read),
            ShardResult(shard=three.shards[1], state=ShardState.failed, reason="the model refused"),
            ShardResult(shard=three.shards[2], state=ShardState.not_started),
        )
    )
    values: dict[str, Any] = {
        "plan": three,
        "coverage": coverage,
        "completeness": Completeness.partial,
        "problems": ("The budget was used up.",),
        "resume": "/pool continue c-0123456789",
    }
    return result(*findings, **(values | fields))


def rich() -> AuditResult:
    """One with something of everything."""
    severities = ["critical", "high", "high", "medium", "medium", "medium", "low"]
    standing = [
        defect(
            number,
            stated={"severity": severity, "suggestion": "    return total"},
            state=AuditState.new if number < 3 else AuditState.open,
        )
        for number, severity in enumerate(severities, 1)
    ]
    others = [
        defect(20, state=AuditState.reappeared, also=(finding(path="shop/also.py"),)),
        defect(30, state=AuditState.fixed, settled_ms=START + 1),
        defect(
            31,
            state=AuditState.dismissed,
            settled_ms=START - DAY,
            settled_by="mona",
            reason="the caller checks it",
        ),
    ]
    skipped = (
        SkippedFile(path="vendor/", reason=SkipReason.vendored, files=120),
        SkippedFile(path="logo.png", reason=SkipReason.binary),
        SkippedFile(path="src/core.py", reason=SkipReason.generated, overridden=True),
    )
    return result(
        *standing,
        *others,
        plan=plan(shard(1), shard(2), skipped=skipped),
        unsettled=(
            UnsettledClaim(
                title="A lock may be taken twice",
                path="shop/lock.py",
                line=9,
                severity=Severity.high,
                reason="the callers could not be found",
            ),
        ),
        refuted=5,
        unplaced=2,
        history=tuple(point(number) for number in range(1, 8)),
    )


def issue_of(
    of: AuditResult,
    home: str,
    next_run: summary.NextRun | None = None,
    *,
    workflow_off: str = "",
    limit: int = issue.LIMIT,
) -> str:
    """The whole text of a report issue."""
    text = issue.text(of, home, workflow_off=workflow_off, limit=limit)
    comes = "\n\n".join(summary.when_next(next_run))
    return ReportIssue(title="Audit", body=text.first, since=comes, rest=text.rest).text
