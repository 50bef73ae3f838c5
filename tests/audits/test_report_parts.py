"""The parts of a report in Markdown: each says what it counts, and how many it leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditState,
    Completeness,
    Coverage,
    ShardResult,
    ShardState,
    SkippedFile,
    SkipReason,
    UnsettledClaim,
)
from claude_pool_gh.audits.outputs import issue, markdown, parts
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import (
    COMMIT,
    DAY,
    HOME,
    START,
    defect,
    issue_of,
    name,
    partial,
    point,
    result,
    shard,
)


def rows(table: str) -> list[list[str]]:
    """The cells of a table's lines, without head and marks."""
    lines = [line for line in table.split("\n") if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def of_severity(number: int, severity: str, **fields: Any) -> AuditFinding:
    return defect(number, stated={"severity": severity}, **fields)


# ---- tables


def test_a_tables_last_columns_are_numbers_and_no_cell_breaks_it() -> None:
    table = parts.table(("a", "b", "c"), 2, [["x|y", "1", "2"]])
    head, marks, line = table.split("\n")
    assert (head, marks) == ("| a | b | c |", "|---|--:|--:|")
    assert line.count("|") - line.count("\\|") == 4


def test_open_findings_are_counted_by_severity_with_what_is_new_or_back() -> None:
    of = result(
        of_severity(1, "high", state=AuditState.new),
        of_severity(2, "high", state=AuditState.reappeared),
        of_severity(3, "high"),
        of_severity(4, "low"),
        of_severity(5, "critical", state=AuditState.fixed),
    )
    assert parts.counts(of).startswith("|  | open | new | back again |\n|---|--:|--:|--:|\n")
    assert rows(parts.counts(of)) == [
        ["**high**", "3", "1", "1"],
        ["**low**", "1", "·", "·"],
    ]
    assert parts.counts(result()) == ""


def test_by_folder_only_severities_that_there_are_have_a_column() -> None:
    of = result(of_severity(1, "high"), of_severity(8, "low"))
    table = parts.by_folder(of)
    assert table.startswith("| folder | high | low | all |\n|---|--:|--:|--:|\n")
    assert "more" not in table
    assert rows(table) == [["`shop/`", "1", "1", "2"]]
    assert parts.by_folder(result()) == ""
    many = [defect(number, stated={"path": f"d{number:02}/x.py"}) for number in range(23)]
    assert parts.by_folder(result(*many)).endswith("\n\nand 3 folders more")


def test_the_runs_come_newest_first_with_their_numbers() -> None:
    history = (
        point(1, new=0, fixed=2, cost=1_000_000),
        point(2, open={}, completeness=Completeness.partial),
    )
    assert rows(parts.runs(result(history=history), HOME)) == [
        [
            "2",
            "23 November 2026, 00:00 UTC",
            f"[`c0ffee000`]({HOME}/commit/{COMMIT})",
            "0",
            "·",
            "1",
            "·",
            "partial",
            "$3.00",
        ],
        [
            "1",
            "22 November 2026, 00:00 UTC",
            f"[`c0ffee000`]({HOME}/commit/{COMMIT})",
            "2",
            "1 high, 1 low",
            "·",
            "2",
            "complete",
            "$1.00",
        ],
    ]
    assert parts.runs(result(), HOME) == parts.runs(result(history=history[:1]), HOME) == ""


def test_a_chart_shows_all_and_the_serious_of_each_run() -> None:
    both = (
        point(1, open={Severity.critical: 1, Severity.high: 2, Severity.medium: 4}),
        point(2, open={}),
    )
    chart = parts.chart(result(history=both))
    assert "line [7, 0]" in chart
    assert "line [3, 0]" in chart
    assert '"open" 0 --> 7' in chart
    assert "x-axis [1, 2]" in chart
    assert parts.chart(result()) == ""
    calm = tuple(replace(each, open={}) for each in both)
    assert '"open" 0 --> 1' in parts.chart(result(history=calm)), "an axis has a length"


# ---- lists


def test_the_worst_come_first_with_what_is_new_and_the_rest_is_counted() -> None:
    found = [
        of_severity(1, "low"),
        of_severity(2, "critical", state=AuditState.reappeared),
        of_severity(3, "high", state=AuditState.new),
    ]
    first, second, rest = parts.worst(result(*found), "", 2).split("\n")
    assert first == (
        f"- **critical** The rebate is taken twice (2) · `shop/prices_2.py:3` · `{name(2)[:10]}`"
        " · back again"
    )
    assert second.endswith(f"`{name(3)[:10]}` · new")
    assert rest == "- and 1 more"
    assert "more" not in parts.worst(result(*found), "", 3)


def test_what_is_settled_is_a_line_each_with_who_and_why() -> None:
    fixed = defect(1, state=AuditState.fixed)
    dismissed = defect(2, state=AuditState.dismissed, settled_by="mona", reason="see\nthe @caller")
    one, two = parts.settled([fixed, dismissed], HOME, 9).split("\n")
    assert one.endswith(f"· `{name(1)[:10]}`")
    assert " · dismissed by `mona`: see the `@caller`" in two
    assert parts.settled([fixed] * 5, HOME, 2).split("\n")[2:] == ["- and 3 more"]
    assert parts.settled([], HOME, 2) == ""


def claim(severity: Severity, **fields: Any) -> UnsettledClaim:
    usual = {"title": "T", "path": "a.py", "line": 9, "reason": "r"}
    return UnsettledClaim(severity=severity, **{**usual, **fields})


def test_claims_that_nobody_settled_are_told_worst_first() -> None:
    claims = [claim(Severity.low), claim(Severity.critical, title="@mona"), claim(Severity.high)]
    lines = parts.unsettled(claims, 2).split("\n")
    assert lines == [
        "- **critical** `@mona` `a.py:9`: r",
        "- **high** T `a.py:9`: r",
        "- and 1 more",
    ]
    assert parts.unsettled([], 2) == ""


def test_what_was_not_covered_says_how_many_files_and_why() -> None:
    of = partial()
    assert rows(parts.uncovered(of, 9)) == [
        ["`shop/2`", "1", "failed", "the model refused"],
        ["`shop/3`", "2", "not started", ""],
    ]
    assert parts.uncovered(of, 1).endswith("\n\nand 1 part more")
    assert parts.uncovered(result(), 9) == ""
    opened = ShardResult(
        shard=shard(1, *(f"{number}.py" for number in range(14))),
        state=ShardState.read,
        unopened=tuple(f"{number}.py" for number in range(12)),
    )
    ((_, number, state, why),) = rows(
        parts.uncovered(replace(of, coverage=Coverage(shards=(opened,))), 9)
    )
    assert (number, state) == ("12", "read")
    assert why.startswith("not opened: `0.py`, `1.py`, ")
    assert why.endswith("`9.py` and 2 more")


def test_what_was_left_out_is_counted_by_its_reason_the_most_first() -> None:
    skipped = [
        SkippedFile(path="a.png", reason=SkipReason.binary),
        SkippedFile(path="vendor/", reason=SkipReason.vendored, files=12),
        SkippedFile(path="b.png", reason=SkipReason.binary),
        *(
            SkippedFile(path=f"h{at}.py", reason=SkipReason.generated, overridden=True)
            for at in range(32)
        ),
    ]
    of = replace(result(), coverage=Coverage(shards=(), skipped=tuple(skipped)))
    *counted, hidden = parts.left_out(of).split("\n")
    assert counted == ["- generated: 32 files", "- vendored: 12 files", "- binary: 2 files"]
    assert hidden.startswith(
        "- of these, hidden by the repository's own `.gitattributes`: `h0.py`, `h1.py`"
    )
    assert hidden.endswith("`h29.py` and 2 more")
    assert parts.left_out(result()) == ""


# ---- one finding


def test_a_finding_that_stands_at_many_places_names_ten_of_them() -> None:
    others = [defect(number).finding for number in range(2, 14)]
    told = parts.finding(defect(1, also=tuple(others)), HOME, commands=False)
    (places,) = [line for line in told.split("\n\n") if line.startswith("Also at ")]
    assert places.count("](") == 10
    assert places.endswith(" and 2 more.")
    assert "Also at" not in parts.finding(defect(1), HOME, commands=False)


def test_a_finding_says_since_when_and_which_commands_settle_it_where_these_can_be_given() -> None:
    told = parts.finding(defect(1), HOME, commands=True)
    assert "first found 22 November 2026, 00:00 UTC" in told
    short = name(1)[:10]
    assert told.endswith(f"<sub>`/pool fix {short}` · `/pool dismiss {short} REASON`</sub>")
    new = parts.finding(defect(1, first_ms=0), HOME, commands=False)
    assert "first found" not in new
    assert "/pool" not in new


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.py", "python"),
        ("a/B.TSX", "tsx"),
        ("a.yml", "yaml"),
        ("Makefile", "text"),
        ("a.x", "text"),
    ],
)
def test_code_is_shown_in_its_language(path: str, language: str) -> None:
    one = defect(1, stated={"path": path, "suggestion": "x"})
    assert parts.finding(one, "", commands=False).count(f"```{language}\n") == 2


def test_long_evidence_is_cut_and_a_suggestion_is_not() -> None:
    one = defect(1, stated={"evidence": "e" * 2_000, "suggestion": "s" * 2_000})
    told = parts.finding(one, "", commands=False)
    assert told.count("e" * 1_500) == 1
    assert "e" * 1_501 not in told
    assert "s" * 2_000 in told


# ---- the issue and the file


def test_an_issue_is_found_again_by_its_key_and_watched_under_one_title() -> None:
    assert issue.key(5, "defects") == "audit:5:defects:report"
    assert issue.title("defects") == "Audit report: defects"
    told = issue.waiting("defects")
    assert told.first.startswith("The audit `defects` has no result yet.")
    assert "`/pool audit defects`" in told.rest


def test_what_was_settled_last_comes_first_in_the_issue() -> None:
    fixed = [
        defect(number, state=AuditState.fixed, settled_ms=START + number * DAY)
        for number in (1, 3, 2)
    ]
    told = issue_of(result(*fixed), "").partition("Fixed: 3")[2]
    assert [told.index(f"twice ({number})") for number in (3, 2, 1)] == sorted(
        told.index(f"twice ({number})") for number in (1, 2, 3)
    )


def test_a_comment_names_ten_of_what_is_new_and_whether_any_is_back() -> None:
    new = [of_severity(number, "high", state=AuditState.new) for number in range(12)]
    told = issue.notice(result(*new)) or ""
    assert told.startswith("12 findings of high or critical severity, new:\n")
    assert told.count("\n- ") == 10
    back = issue.notice(result(*new, of_severity(20, "critical", state=AuditState.reappeared)))
    assert (back or "").startswith("13 findings of high or critical severity, new or back again:")
    fell = partial(*new[:1], history=(point(1), point(2, completeness=Completeness.partial)))
    assert (issue.notice(fell) or "").endswith(
        "\n\nPARTLY AUDITED: 3 files not read; 1 finding open."
    )


def test_the_file_has_its_sections_in_the_order_of_their_worth() -> None:
    claims = (claim(Severity.low),)
    of = partial(
        of_severity(1, "low", state=AuditState.new),
        of_severity(2, "critical"),
        of_severity(3, "high", state=AuditState.fixed),
        of_severity(4, "high", state=AuditState.dismissed),
        unsettled=claims,
        refuted=1,
        history=(point(1), point(2)),
    )
    of = replace(
        of,
        coverage=replace(of.coverage, skipped=(SkippedFile(path="a", reason=SkipReason.empty),)),
    )
    told = markdown.document(of, HOME)
    heads = [line for line in told.split("\n") if line.startswith("#")]
    assert heads == [
        "# Audit of `octo/shop`: `defects`",
        "## By folder and severity",
        "## Critical: 1 finding",
        "### The rebate is taken twice (2)",
        "## Low: 1 finding",
        "### The rebate is taken twice (1) (new)",
        "## Claims that nobody could settle",
        "## Not covered",
        "## Left out of the audit",
        "## Counted only",
        "## Fixed",
        "## Dismissed",
        "## Trend",
    ]
    assert f"`{name(2)}`" in told, "the whole id"
    assert "\n\n\n" not in told
    assert told.endswith("|\n")
