"""What people read of an audit: its plan, its result in a line, and what was not read."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.reports import audits
from claude_pool_gh.reports.audits import ScheduleLine
from claude_pool_gh.reports.views import AuditReport, Remark
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

HOME, HEAD = "https://github.example/octo/shop", "a" * 40
HIGH, LOW = (Severity.high, 2), (Severity.low, 1)


def report(**fields: Any) -> AuditReport:
    values: dict[str, Any] = {"name": "night", "files_read": 12, "shards_read": 3, "shards": 4}
    return AuditReport(**values | fields)


def body(**fields: Any) -> str:
    return "\n\n".join(audits.body(report(**fields), HOME, HEAD))


def named(number: int) -> Finding:
    return finding(title=f"Defect {number}", mark=f"{number:020}")


def remark(number: int, severity: Severity | None = Severity.low, **fields: Any) -> Remark:
    values: dict[str, Any] = {"title": f"Claim {number}", "path": "a.py", "line": number}
    return Remark(**values | {"severity": severity, "reason": "nobody knows"} | fields)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "Nothing found in 12 files"),
        ({"files_read": 1}, "Nothing found in 1 file"),
        ({"new": 2, "open": (HIGH,)}, "2 new (worst: high) in 12 files read"),
        (
            {"new": 1, "reappeared": 1, "fixed": 4, "open": (HIGH, LOW)},
            "1 new, 1 back, 4 fixed, 1 still open (worst: high) in 12 files read",
        ),
        ({"open": (LOW,)}, "1 still open (worst: low) in 12 files read"),
        ({"open": ((Severity.high, 0), LOW)}, "1 still open (worst: low) in 12 files read"),
        ({"fixed": 1}, "1 fixed in 12 files read"),
        (
            {"planned": True, "files_unread": 1, "cost": (500_000, 1_000_000, 2_500_000)},
            "Plan: 1 file in 4 parts, about $1.00 ($0.50 to $2.50)",
        ),
    ],
    ids=["nothing", "one file", "new", "all", "still open", "none of the worst", "fixed", "a plan"],
)
def test_a_result_is_told_in_a_line(fields: dict[str, Any], line: str) -> None:
    assert audits.headline(report(**fields)) == line


@pytest.mark.parametrize(
    ("beyond", "told"),
    [
        (0, "Estimate for everything: $1.00."),
        (1, "Estimate for everything: $1.00; 1 file beyond the budget will not be read."),
        (2, "Estimate for everything: $1.00; 2 files beyond the budget will not be read."),
    ],
)
def test_while_it_runs_the_estimate_is_told(beyond: int, told: str) -> None:
    assert audits.progress(report(cost=(1, 1_000_000, 2), beyond=beyond)) == told


@pytest.mark.parametrize(
    ("runs", "since"),
    [(0, "published prices of other tools"), (1, "1 earlier run here"), (3, "3 earlier runs here")],
)
def test_a_plan_says_where_its_estimate_comes_from(runs: int, since: str) -> None:
    text = body(
        planned=True,
        files_unread=7,
        tokens=12_345,
        cost=(500_000, 1_000_000, 2_500_000),
        seconds=(30, 90, 600),
        runs=runs,
        first=("shop/`1`",),
        problems=("No file matches x.",),
    )
    assert "| Files | 7 in 4 parts |" in text
    assert "| Tokens of all files | about 12,345 |" in text
    assert f"| Cost of all of it | about $1.00, $0.50 to $2.50, from {since} |" in text
    assert "| Time | about 1 min 30 s, 30 s to 10 min |" in text
    assert "Beyond the budget" not in text
    assert "Read first:\n\n- " in text
    assert "⚠️ No file matches x." in text
    beyond = body(planned=True, beyond=1)
    assert "| Beyond the budget | 1 file, which would not be read |" in beyond


def test_what_is_open_is_counted_and_the_first_ten_are_named() -> None:
    text = body(
        open=((Severity.high, 10), (Severity.medium, 0), (Severity.low, 3)),
        standing=[named(n) for n in range(12)],
    )
    assert "| high | 10 |\n| low | 3 |" in text
    assert "medium" not in text
    lines = [line for line in text.split("\n") if line.startswith("- **high**")]
    assert [line.rpartition(" · ")[2] for line in lines] == ["`00000000`"] * 10
    assert "Defect 0" in lines[0]
    assert f"{HOME}/blob/{HEAD}/" in lines[0]
    assert "- and 3 more" in text


def test_where_nothing_is_open_nothing_is_listed() -> None:
    text = body()
    assert "severity" not in text
    assert "more" not in text
    assert "- Read: 12 files in 3 of 4 parts" in text


def test_what_was_left_out_refuted_or_not_settled_is_told() -> None:
    text = body(
        files_skipped=5, skipped=(("binary", 4), ("empty", 1)), refuted=2, unsettled=[remark(1)]
    )
    assert "- Left out: 5 files (4 binary, 1 empty)" in text
    assert "- Refuted by a second reader: 2" in text
    assert "- **Not settled**: 1\n  - Claim 1 `a.py:1` (low): nobody knows" in text
    assert body(files_read=0) == "", "of an audit that did nothing there is nothing to tell"


@pytest.mark.parametrize(
    ("number", "more"), [(20, ""), (21, "- and 1 more"), (30, "- and 10 more")]
)
def test_of_many_open_claims_the_worst_twenty_are_told(number: int, more: str) -> None:
    many = [
        remark(0, None),
        *(remark(n) for n in range(1, number - 1)),
        remark(99, Severity.critical),
    ]
    text = body(unsettled=many)
    told = [line for line in text.split("\n") if line.startswith("  - Claim")]
    assert len(told) == 20
    assert told[0].startswith("  - Claim 99 `a.py:99` (critical)")
    assert ("  - Claim 0 `a.py:0`: nobody knows" in told) is (number == 20)
    assert (f"  {more}" in text.split("\n")) is bool(more)


def test_the_first_ten_problems_are_told() -> None:
    text = body(problems=[f"Problem {n}." for n in range(12)])
    assert [line for line in text.split("\n") if "Problem" in line] == [
        f"⚠️ Problem {n}." for n in range(10)
    ]


def test_schedules_are_told_one_below_the_other() -> None:
    lines = [
        ScheduleLine("night", running=True, told=("Next at 3.",)),
        ScheduleLine("weekly", running=False),
    ]
    assert audits.schedules(lines) == "- `night`: It is running now. Next at 3.\n- `weekly`:"
    assert audits.schedules([]).startswith("No audit has a schedule here.")
    assert audits.no_schedule("x") == "The audit `x` has no schedule in the configuration."
    assert audits.is_live("x").startswith("The audit `x` is running already.")
