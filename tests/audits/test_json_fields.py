"""Every field of a result is in its JSON under its own name: no two of them are mixed up, and none is left out."""

from __future__ import annotations

import json
from typing import Any

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditState,
    Completeness,
    Coverage,
    HistoryPoint,
    Shard,
    ShardResult,
    ShardState,
    SkippedFile,
    SkipReason,
    UnsettledClaim,
)
from claude_pool_gh.audits.outputs import json as typed
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import plan, result
from tests.findings.make import finding

SHARD = Shard(id="s1", title="shop", paths=("a.py", "b.py"), tokens=3, size=4, unlisted=5)


def whole(**changed: Any) -> dict[str, Any]:
    """A result's JSON, read back."""
    read: dict[str, Any] = json.loads(typed.document(result(**changed)))
    return read


def test_a_finding() -> None:
    one = AuditFinding(
        id="i",
        rule="defects/crash",
        finding=finding(
            path="p.py",
            start_line=3,
            end_line=4,
            severity="low",
            title="t",
            body="b",
            scenario="s",
            evidence="e",
            suggestion="g",
            confidence=0.5,
        ),
        state=AuditState.dismissed,
        commit="c",
        verified=True,
        reread=False,
        shard="h",
        also=(finding(path="q.py", start_line=7, end_line=8),),
        first_ms=11,
        settled_ms=12,
        seen=13,
        settled_by="mona",
        reason="r",
        file_gone=True,
    )
    (told,) = whole(findings=(one,))["findings"]
    assert told == {
        "id": "i",
        "rule": "defects/crash",
        "state": "dismissed",
        "severity": "low",
        "confidence": 0.5,
        "title": "t",
        "body": "b",
        "scenario": "s",
        "evidence": "e",
        "suggestion": "g",
        "place": {"path": "p.py", "start_line": 3, "end_line": 4},
        "also": [{"path": "q.py", "start_line": 7, "end_line": 8}],
        "commit": "c",
        "verified": True,
        "read_in_this_run": False,
        "first_found_ms": 11,
        "settled_ms": 12,
        "settled_by": "mona",
        "reason": "r",
        "times_found": 13,
        "file_gone": True,
    }


def test_a_finding_that_was_never_settled_and_has_no_suggestion() -> None:
    open_ = AuditFinding(
        id="i",
        rule="r",
        finding=finding(suggestion=None),
        state=AuditState.open,
        commit="c",
        verified=False,
        reread=True,
    )
    (told,) = whole(findings=(open_,))["findings"]
    assert (told["settled_ms"], told["suggestion"], told["also"]) == (None, None, [])
    assert (told["verified"], told["read_in_this_run"], told["file_gone"]) == (False, True, False)


def test_a_shard_and_what_was_left_out() -> None:
    part = ShardResult(
        shard=SHARD,
        state=ShardState.read,
        reason="r",
        unopened=("b.py",),
        stated=6,
        kept=7,
        cost=8,
        seconds=9.5,
    )
    skipped = SkippedFile(
        path="v/", reason=SkipReason.vendored, detail="d", overridden=True, files=10
    )
    told = whole(coverage=Coverage(shards=(part,), skipped=(skipped,)))["coverage"]
    assert told == {
        "files_read": 6,
        "files_not_read": 1,
        "shards": [
            {
                "id": "s1",
                "title": "shop",
                "state": "read",
                "reason": "r",
                "files": 7,
                "paths": ["a.py", "b.py"],
                "not_opened": ["b.py"],
                "stated": 6,
                "kept": 7,
                "cost_microdollars": 8,
                "seconds": 9.5,
            }
        ],
        "left_out": [
            {"path": "v/", "reason": "vendored", "detail": "d", "overridden": True, "files": 10}
        ],
    }


def test_claims_and_runs() -> None:
    claim = UnsettledClaim(title="t", path="p.py", line=2, severity=Severity.high, reason="r")
    run = HistoryPoint(
        ended_ms=3,
        commit="c",
        open={Severity.low: 4},
        new=5,
        fixed=6,
        completeness=Completeness.partial,
        cost=7,
    )
    told = whole(unsettled=(claim,), history=(run,))
    assert told["unsettled"] == [
        {"title": "t", "path": "p.py", "line": 2, "severity": "high", "reason": "r"}
    ]
    assert told["history"] == [
        {
            "ended_ms": 3,
            "commit": "c",
            "open": {"low": 4},
            "new": 5,
            "fixed": 6,
            "completeness": "partial",
            "cost_microdollars": 7,
        }
    ]


def test_the_result_itself() -> None:
    told = whole(
        plan=plan(
            SHARD, audit="a", repository="o/r", commit="c", branch="b", budget=2, notices=("n",)
        ),
        completeness=Completeness.partial,
        refuted=3,
        unplaced=4,
        beyond_limit=5,
        unverified=6,
        cost=7,
        cost_is_bound=True,
        started_ms=8,
        ended_ms=9,
        problems=("p",),
        resume="again",
        chain="x",
    )
    expected = {
        "form": 1,
        "audit": "a",
        "repository": "o/r",
        "commit": "c",
        "branch": "b",
        "clean": False,
        "completeness": "partial",
        "open": dict.fromkeys(("critical", "high", "medium", "low"), 0),
        "problems": ["p"],
        "notices": ["n"],
        "resume": "again",
        "cost_microdollars": 7,
        "cost_is_upper_bound": True,
        "budget_microdollars": 2,
        "started_ms": 8,
        "ended_ms": 9,
        "run": "x",
    }
    assert {name: told[name] for name in expected} == expected
    counted = {"refuted": 3, "unplaced": 4, "beyond_limit": 5, "unverified": 6}
    assert counted.items() <= told["not_listed"].items()
    assert told["verdict"].startswith("PARTLY AUDITED: ")
