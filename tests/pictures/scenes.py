"""Every kind of comment, with plausible content: what the pictures show, and what a browser is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from claude_pool_gh.config.load import DEFAULT, flat
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.registry import handlers
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.model.caps import CapUse
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.reports import findings, replies, tables
from claude_pool_gh.reports.changes import files_of
from claude_pool_gh.reports.tracking import tracking
from claude_pool_gh.reports.views import (
    AnswerReport,
    Bill,
    ChangeReport,
    ChangeStatus,
    CheckEnd,
    CheckResult,
    Evidence,
    Link,
    Place,
    Remark,
    Resumable,
    ReviewReport,
    Run,
    StepLine,
    TriageReport,
)
from claude_pool_gh.terms.roles import Role
from claude_pool_gh.terms.severity import Severity

SQL, BOUNDARY, VOUCHER = (Finding.model_validate(planted.finding) for planted in stage.PLANTED[:3])
SONNET: Final = "claude-sonnet-5-5"
PATCH: Final = b"""diff --git a/shop/prices.py b/shop/prices.py
index 5f1c2d3..8a9b0c1 100644
--- a/shop/prices.py
+++ b/shop/prices.py
@@ -8,4 +8,4 @@ def line_total(unit_cents: int, quantity: int) -> int:
     total = unit_cents * quantity
-    if quantity > BULK_FROM:
+    if quantity >= BULK_FROM:
         total -= total * BULK_PERCENT // 100
     return total
diff --git a/tests/test_prices.py b/tests/test_prices.py
index 1111111..2222222 100644
--- a/tests/test_prices.py
+++ b/tests/test_prices.py
@@ -3,2 +3,6 @@ from shop.prices import line_total
 def test_one_piece_costs_its_price() -> None:
     assert line_total(100, 1) == 100
+
+
+def test_ten_pieces_get_the_bulk_discount() -> None:
+    assert line_total(100, 10) == 950
"""
CAPS: Final = (
    CapUse("thread", 10_000_000, 1_240_000),
    CapUse("user and day", 20_000_000, 4_100_000),
    CapUse("repository and month", 100_000_000, 31_750_000),
)


def step(name: str, state: str = "completed", **more: Any) -> StepLine:
    """One line of the table of steps."""
    return StepLine(name=name, state=state, **more)


REVIEW_STEPS: Final = (
    step("brief", elapsed_ms=140),
    step("find", detail="2 runs", model=SONNET, elapsed_ms=94_000, cost=410_000),
    step("check", elapsed_ms=30),
    step("verify", detail="3 runs", model=SONNET, elapsed_ms=41_000, cost=180_000),
    step("gather", elapsed_ms=20),
)
FIX_STEPS: Final = (
    step("brief", elapsed_ms=110),
    step("fix", detail="1 run", model=SONNET, elapsed_ms=72_000, cost=260_000),
    step("propose", "pending_review"),
    step("push", "pending"),
)
PUSHED_STEPS: Final = (*FIX_STEPS[:2], step("propose"), step("push", elapsed_ms=1_900))
PLAN_STEPS: Final = (
    step("brief", elapsed_ms=110),
    step("plan", detail="1 run", model=SONNET, elapsed_ms=72_000, cost=260_000),
    step("ready"),
    *(step(name, "skipped") for name in ("implement", "tests", "propose", "open")),
)
TRIAGE_STEPS: Final = (
    step("brief", elapsed_ms=110),
    step("triage", detail="1 run", model=SONNET, elapsed_ms=72_000, cost=260_000),
)
BILL: Final = Bill(
    spent=590_000, upper_bound=False, cap=3_000_000, thread=1_240_000, month=31_750_000, caps=CAPS
)
RUN: Final = Run(
    chain_id="1a2b3c4d5e",
    verb="review",
    head="7ffe83b0d3c1",
    requester="mona",
    home="https://github.com/octo/shop",
    intent="Reads 14 files in 2 parts. A second run checks every finding.",
    steps=REVIEW_STEPS,
    bill=BILL,
    elapsed_ms=136_000,
    looked=(
        Evidence(
            task="find: shop/prices.py and 6 more",
            files=("shop/prices.py", "shop/store.py"),
            searches=("BULK_",),
        ),
    ),
)
REVIEWED: Final = ReviewReport(
    files=14,
    inline=(SQL, BOUNDARY),
    standing=(VOUCHER,),
    fixed=(VOUCHER,),
    known=1,
    refuted=(
        Remark(
            title="The total can be negative",
            path="shop/prices.py",
            line=31,
            severity=Severity.medium,
            reason="line_total refuses it, shop/prices.py:12",
        ),
    ),
    unsettled=(
        Remark(
            title="The rate is read twice",
            path="shop/rates.py",
            line=8,
            severity=Severity.low,
            reason="its evidence is not in the file, or in several places",
        ),
    ),
    left_out=("docs/logo.png",),
)
CHANGED: Final = ChangeReport(
    files=files_of(PATCH),
    protected=(),
    parent="7ffe83b0d3c1",
    commit="c0ffee1234567",
    digest="9f86d081884c7d65",
    branch="bulk-discount",
    fate=ChangeStatus.waiting,
    gate="3f9a1c07be",
    checked=(
        CheckResult(name="tests", end=CheckEnd.passed, elapsed_ms=41_000),
        CheckResult(name="lint", end=CheckEnd.passed, elapsed_ms=3_200),
    ),
    patch=PATCH.decode(),
    prose="Fixed in `shop/prices.py`: the boundary counts now.\n\nA reviewer should look at the test's name.",
)
BROKEN: Final = (
    CHANGED.checked[0],
    CheckResult(
        name="lint",
        end=CheckEnd.failed,
        status=1,
        elapsed_ms=3_200,
        output="shop/prices.py:10:8: PLR2004 Magic value used in comparison, consider a constant\nFound 1 error.\n",
    ),
    CheckResult(
        name="types",
        end=CheckEnd.failed_before,
        status=127,
        elapsed_ms=300,
        output="/bin/sh: 1: mypy: not found\n",
    ),
)
FIX: Final = replace(
    RUN,
    verb="fix",
    steps=FIX_STEPS,
    report=CHANGED,
    waits=True,
    elapsed_ms=73_000,
    bill=replace(BILL, spent=260_000),
    earlier=("`0c1d2e3f4` NOT DONE: out of turns, $0.31",),
)
DONE: Final = Outcome(verdict=Verdict.answered)


def scenes() -> Mapping[str, str]:
    """Name -> the comment as Markdown."""
    running = replace(
        RUN,
        steps=(
            *REVIEW_STEPS[:1],
            step(
                "find",
                "running",
                detail="1 of 2: shop/store.py and 6 more",
                model=SONNET,
                cost=210_000,
                elapsed_ms=85_000,
            ),
            *(step(name, "pending") for name in ("check", "verify", "gather")),
        ),
        bill=replace(BILL, spent=210_000, usual=(400_000, 900_000)),
        elapsed_ms=85_140,
    )
    parked = Outcome(verdict=Verdict.out_of_turns, reason="no result after 60 turns")
    verbs = {name: handler.verb for name, handler in handlers().items()}
    config = RepositoryConfig()
    return {
        "review-running": tracking(running),
        "review-in-line": tracking(
            replace(
                running,
                place=Place(2, 2, 2),
                steps=tuple(step(s.name, "pending") for s in REVIEW_STEPS),
            )
        ),
        "review-findings": tracking(
            replace(RUN, report=REVIEWED, outcome=Outcome(verdict=Verdict.findings))
        ),
        "review-clean": tracking(
            replace(RUN, report=ReviewReport(files=14), outcome=Outcome(verdict=Verdict.clean))
        ),
        "review-inline": findings.inline(SQL),
        "fix-waiting": tracking(FIX),
        "fix-second-approver": tracking(
            replace(
                FIX,
                report=replace(
                    CHANGED,
                    protected=("tests/test_prices.py",),
                    approved_by=("max",),
                    still_needed=replies.still_needed(1, "protected paths need two people", ()),
                ),
            )
        ),
        "fix-check-failed": tracking(replace(FIX, report=replace(CHANGED, checked=BROKEN))),
        "fix-stale": tracking(
            replace(FIX, report=replace(CHANGED, stale="the head has moved to 99aabbccd"))
        ),
        "fix-pushed": tracking(
            replace(
                FIX,
                waits=False,
                outcome=DONE,
                steps=PUSHED_STEPS,
                report=replace(CHANGED, fate=ChangeStatus.pushed, approved_by=("mona",)),
            )
        ),
        "fix-out-of-turns": tracking(
            replace(
                FIX,
                waits=False,
                report=None,
                outcome=parked,
                steps=(FIX_STEPS[0], replace(FIX_STEPS[1], state="failed"), *FIX_STEPS[3:]),
                kept=Resumable(
                    command="/pool continue 1a2b3c4d5e --turns 120", files=files_of(PATCH)
                ),
                bill=replace(
                    FIX.bill,
                    thread=8_400_000,
                    caps=(CapUse("thread", 10_000_000, 8_400_000), *CAPS[1:]),
                ),
                warnings=("84 % of the cap per thread ($10.00) is used or reserved.",),
            )
        ),
        "implement-questions": tracking(
            replace(
                FIX,
                verb="implement",
                waits=False,
                outcome=DONE,
                steps=PLAN_STEPS,
                earlier=(),
                report=replace(
                    CHANGED,
                    files=(),
                    fate=ChangeStatus.nothing,
                    questions=("Which currency?", "Per line or per order?"),
                ),
            )
        ),
        "ask-answer": replies.answer(
            AnswerReport(
                text="Nothing rounds up: `line_total` cuts fractions of a cent off, and `order_total` adds whole cents.\n\n"
                "It is meant so: `AGENTS.md` says that cents are whole.",
                links=(
                    Link(
                        path="shop/prices.py", start=10, end=12, url="https://github.com/octo/shop"
                    ),
                ),
            )
        ),
        "triage": tracking(
            replace(
                FIX,
                verb="triage",
                waits=False,
                outcome=DONE,
                steps=TRIAGE_STEPS,
                earlier=(),
                report=TriageReport(
                    summary="Orders of exactly ten pieces get no discount. `line_total` in `shop/prices.py` decides it.",
                    labels=("bug", "prices"),
                    missing=("The version that it was seen in",),
                ),
            )
        ),
        "status": tables.status(
            tables.StatusView(
                chains=(
                    tables.ChainLine(
                        id="1a2b3c4d5e",
                        verb="fix",
                        title="AWAITING APPROVAL: 2 files, +5 -1",
                        requester="mona",
                        cost=260_000,
                        gate="3f9a1c07be",
                    ),
                    tables.ChainLine(
                        id="0c1d2e3f4a",
                        verb="review",
                        title="2 findings (worst: critical) in 14 files read",
                        requester="max",
                        cost=590_000,
                    ),
                ),
                busy=2,
                slots=2,
                waiting=3,
                shares={"review": {"fixed": 31, "dismissed": 4, "ignored": 2, "open": 3}},
            )
        ),
        "cost": tables.cost(
            tables.CostView(
                by_verb=(("review", 41, 21_300_000), ("fix", 12, 8_950_000), ("ask", 9, 1_500_000)),
                by_model=((SONNET, 55, 28_100_000), ("claude-haiku-4-5", 7, 3_650_000)),
                by_user=(("mona", 38, 19_000_000), ("max", 24, 12_750_000)),
                by_week=(("2026-W48", 14, 7_900_000), ("2026-W47", 48, 23_850_000)),
                caps=(*CAPS[:1], CapUse("user and day", 20_000_000, 17_400_000), *CAPS[2:]),
                month=31_750_000,
            )
        ),
        "config": tables.configuration(
            flat(config)
            | {"budget.thread": 25.0, "review.on_push": True, "changes.four_eyes": True},
            {
                "budget.thread": "octo/.github",
                "review.on_push": ".github/claude-pool.yml",
                "changes.four_eyes": ".github/claude-pool.yml",
            },
            DEFAULT,
        ),
        "help": replies.help_all(
            verbs, {name: verb.role for name, verb in verbs.items()}, Role.triage
        ),
        "refused-cap": replies.cap_reached(
            CapReached("user and day", 20_000_000, 2_600_000, 3_000_000), "/pool review"
        ),
        "refused-outsider": replies.unvetted("7ffe83b0d3c1aabb", "/pool review"),
        "withheld": replies.withheld(("a GitHub token",)),
    }
