"""Runs for tests."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.pool.model.caps import CapUse
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.reports.views import (
    Bill,
    ChangeReport,
    ChangeStatus,
    Evidence,
    FileChange,
    Remark,
    ReviewReport,
    Run,
    StepLine,
)
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

STEPS = (
    StepLine(name="brief", state="completed", elapsed_ms=800),
    StepLine(
        name="find",
        state="completed",
        detail="3 of 3",
        model="claude-sonnet-5-5",
        elapsed_ms=61_000,
        cost=420_000,
    ),
    StepLine(
        name="verify", state="completed", model="claude-sonnet-5-5", elapsed_ms=9_400, cost=80_000
    ),
)
BILL = Bill(
    spent=500_000,
    upper_bound=False,
    cap=3_000_000,
    usual=(400_000, 900_000),
    thread=700_000,
    month=12_340_000,
    caps=(CapUse("thread", 10_000_000, 700_000), CapUse("user and day", 20_000_000, 500_000)),
)
LOOKED = (
    Evidence(
        task="shop/prices.py", files=("shop/prices.py", "shop/store.py"), searches=("def price",)
    ),
)


REFUTED = (
    Remark(
        title="It cannot happen",
        path="a.py",
        line=3,
        severity=Severity.low,
        reason="@mona checks it in b.py:4",
    ),
)


def reviewed(**fields: Any) -> ReviewReport:
    return ReviewReport(**({"files": 14} | fields))


def run(**fields: Any) -> Run:
    values: dict[str, Any] = {
        "chain_id": "c-7",
        "verb": "review",
        "head": "0123456789abcdef",
        "requester": "mona",
        "intent": "Reads 14 files in 3 parts.",
        "steps": STEPS,
        "bill": BILL,
        "elapsed_ms": 71_200,
    }
    return Run(**(values | fields))


def ended(verdict: Verdict, reason: str = "", **fields: Any) -> Run:
    """A run as it is when it has ended so."""
    found = verdict is Verdict.findings
    values: dict[str, Any] = {
        "outcome": Outcome(verdict=verdict, reason=reason),
        "report": reviewed(inline=(finding(),) if found else (), refuted=REFUTED),
        "looked": LOOKED,
    }
    return run(**(values | fields))


def change(**fields: Any) -> ChangeReport:
    """A change that waits for approval."""
    values: dict[str, Any] = {
        "files": (
            FileChange("shop/prices.py", 3, 1),
            FileChange(".github/workflows/ci.yml", 0, 9, "deleted"),
        ),
        "protected": (".github/workflows/ci.yml",),
        "parent": "0" * 40,
        "commit": "c" * 40,
        "digest": "d" * 64,
        "branch": "topic",
        "fate": ChangeStatus.waiting,
        "gate": "0123456789",
        "checks": "**not checked**",
        "patch": "-a\n+b\n",
        "prose": "It asks @mona no more.",
    }
    return ChangeReport(**(values | fields))
