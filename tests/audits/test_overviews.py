"""An overview of many repositories in each of its forms: one row each, the sums of all, and links that lead there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits.fleet import outputs
from claude_pool_gh.audits.fleet.model import COVERED, Overview, Row, RowState, row_of
from claude_pool_gh.audits.model import AuditState, Completeness
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import COMMIT, START, defect, partial, result, rich
from tests.audits.test_fleet import ALL, GONE, MILL, SHOP


def overview(*rows: Row, **fields: Any) -> Overview:
    return replace(ALL, rows=rows, **fields)


def line_of(row: Row) -> list[str]:
    """The cells of a row in Markdown."""
    line = outputs.markdown(overview(row)).rstrip("\n").rpartition("\n")[2]
    return [each.strip() for each in line.strip("|").split("|")]


# ---- a row


def test_a_row_has_the_numbers_of_its_result() -> None:
    of = replace(rich(), unplaced=0)
    row = row_of(of, "octo/shop", "octo/shop/report")
    assert row == Row(
        repository="octo/shop",
        state=RowState.partial,
        commit=COMMIT,
        open=of.by_severity(),
        new=2,
        fixed=1,
        unsettled=1,
        files_read=2,
        cost=3_250_000,
        report="octo/shop/report",
    )
    assert row.standing == 8


def test_a_row_says_why_its_repository_was_not_audited_whole() -> None:
    row = row_of(partial(defect(1, state=AuditState.new), cost_is_bound=True), "o/r", "")
    assert row.reason == "The budget was used up. 1 part of 3 failed. 1 part of 3 did not start."
    assert (row.files_read, row.files_unread, row.cost_is_bound) == (1, 3, True)
    assert row.state is RowState.partial
    assert row_of(result(completeness=Completeness.partial), "o/r", "").state is RowState.partial


def test_only_what_was_read_whole_counts_as_covered() -> None:
    rows = [Row(repository=f"o/{state.name}", state=state) for state in RowState]
    assert overview(*rows).covered == 2
    assert {row.state for row in rows if overview(row).is_whole} == COVERED
    assert not overview(*rows).is_whole


# ---- all of them


def test_the_sums_are_those_of_all_rows() -> None:
    bound = replace(MILL, cost_is_bound=True, open={Severity.high: 1})
    both = overview(SHOP, bound)
    assert (both.cost, both.cost_is_bound) == (1_520_000, True)
    assert both.open == {
        Severity.critical: 0,
        Severity.high: 3,
        Severity.medium: 0,
        Severity.low: 1,
    }
    assert not overview(SHOP, MILL).cost_is_bound
    assert overview().cost == 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((), "NOT AUDITED: no repository was left to read"),
        ((MILL,), "no finding open in 1 repository"),
        ((GONE,), "PARTLY AUDITED: 1 of 1 repository not whole; no finding open"),
        ((MILL, MILL), "no finding open in 2 repositories"),
    ],
)
def test_the_verdict_says_what_is_missing_first(rows: tuple[Row, ...], told: str) -> None:
    assert outputs.verdict(overview(*rows)) == told


def test_the_facts_are_what_it_cost_when_it_ended_and_what_was_left_out() -> None:
    of = overview(
        replace(SHOP, cost_is_bound=True), ended_ms=START, left_out={"archived": 2, "a fork": 1}
    )
    assert outputs.facts(of) == [
        "≤ $1.50 of $5.00",
        "1 December 2026, 00:00 UTC",
        "2 left out: archived",
        "1 left out: a fork",
    ]


# ---- forms


def test_a_terminal_is_told_a_line_for_each_with_what_is_known_of_it() -> None:
    first, _, *rows = outputs.plain(ALL).split("\n")
    assert first == f"security, octo: {outputs.verdict(ALL)}"
    assert rows == [
        "  octo/shop  findings  2 high, 1 low  12 of 12 files read  $1.50",
        "  octo/mill  clean  3 of 3 files read  $0.02",
        "  octo/gone  not audited  $0.00  <script>GitHub</script> @all",
    ]
    assert outputs.plain(overview()).count("\n") == 1


def test_names_of_any_length_stand_in_one_column() -> None:
    long = replace(MILL, repository="octo/a-long-name")
    rows = outputs.plain(overview(MILL, long)).split("\n")[2:]
    assert [row.index("clean") for row in rows] == [len("  octo/a-long-name  ")] * 2


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        (
            SHOP,
            [
                "[`octo/shop`](<octo/shop/report.md>)",
                "findings",
                "2 high, 1 low",
                "1",
                "",
                "12 of 12",
                "$1.50",
                "",
            ],
        ),
        (
            replace(MILL, fixed=2, files_unread=1, cost_is_bound=True, reason="a | b"),
            ["`octo/mill`", "clean", "", "", "2", "3 of 4", "≤ $0.02", "a \\"],
        ),
    ],
)
def test_a_table_has_a_cell_for_each_number(row: Row, cells: list[str]) -> None:
    assert line_of(row)[: len(cells)] == cells


def test_a_link_leads_to_a_file_whatever_its_folder_is_called() -> None:
    row = replace(SHOP, report='octo/a b"/<report>')
    quoted = "octo/a%20b%22/%3Creport%3E"
    assert f"](<{quoted}.md>)" in outputs.markdown(overview(row))
    assert f'href="{quoted}.html"' in outputs.html(overview(row))
    assert "<a " not in outputs.html(overview(MILL))


def test_a_page_has_a_column_for_each_severity_that_there_is() -> None:
    page = outputs.html(ALL)
    head = page.partition("<thead>")[2].partition("</thead>")[0]
    assert head.count("<th") == 9
    for severity in ("high", "low"):
        assert f"<th class=n>{severity}</th>" in head
    assert "critical</th>" not in head
    assert '<td class=n><span class="tag high">2</span></td>' in page
    assert page.count("<tbody><tr>") == 1
    assert "archived: 2" in page
    assert "Left out by the filters" not in outputs.html(replace(ALL, left_out={}))


@pytest.mark.parametrize(
    ("rows", "clean"),
    [((MILL,), True), ((SHOP,), False), ((MILL, GONE), False), ((), False)],
)
def test_a_page_is_green_only_where_all_was_read_and_nothing_stands(
    rows: tuple[Row, ...], *, clean: bool
) -> None:
    assert ('class="verdict clean"' in outputs.html(overview(*rows))) == clean


def test_programs_are_told_every_field_of_every_row() -> None:
    row = Row(
        repository="octo/shop",
        state=RowState.partial,
        reason="r",
        commit="c",
        open={Severity.high: 2},
        new=3,
        fixed=4,
        unsettled=5,
        files_read=6,
        files_unread=7,
        cost=8,
        cost_is_bound=True,
        report="octo/shop/report",
    )
    whole = json.loads(outputs.json(overview(row, started_ms=9, ended_ms=10, budget=11)))
    assert whole["repositories"] == [
        {
            "repository": "octo/shop",
            "state": "partly audited",
            "reason": "r",
            "commit": "c",
            "open": {"high": 2},
            "new": 3,
            "fixed": 4,
            "unsettled": 5,
            "files_read": 6,
            "files_not_read": 7,
            "cost_microdollars": 8,
            "cost_is_upper_bound": True,
            "report": "octo/shop/report.json",
        }
    ]
    own = ("audit", "source", "covered", "cost_microdollars", "cost_is_upper_bound")
    assert [whole[name] for name in own] == ["security", "octo", 0, 8, True]
    rest = ("budget_microdollars", "started_ms", "ended_ms", "form", "left_out")
    assert [whole[name] for name in rest] == [11, 9, 10, 1, {"archived": 2}]
    assert whole["open"] == {"critical": 0, "high": 2, "medium": 0, "low": 0}
    assert whole["verdict"] == outputs.verdict(overview(row))
    assert outputs.Report.model_validate(whole).model_dump(mode="json") == whole


def cells(page: str) -> list[list[str]]:
    """The texts of a page's rows."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    return [[re.sub(r"<[^>]*>", "", cell) for cell in row] for row in rows]


def test_a_pages_row_has_each_number_in_its_own_column() -> None:
    other = replace(MILL, fixed=4, files_unread=2, reason="why", open={Severity.low: 6})
    page = outputs.html(overview(SHOP, other))
    assert cells(page) == [
        ["octo/shop", "findings", "", "2", "1", "1", "", "12 of 12", "$1.50"],
        ["octo/mill", "clean", "why", "", "6", "", "4", "3 of 5", "$0.02"],
    ]
    head = re.findall(r"<th( class=n)?>([^<]*)</th>", page)
    assert [name for _, name in head] == [
        *("repository", "outcome", "", "high", "low"),
        *("new", "fixed", "files read", "cost"),
    ]
    assert [bool(number) for number, _ in head] == [False] * 3 + [True] * 6


def test_where_no_repository_was_left_there_is_no_table_and_no_link() -> None:
    assert "|" not in outputs.markdown(overview())
    assert "<table" not in outputs.html(overview())
    typed = json.loads(outputs.json(overview(MILL)))
    assert typed["repositories"][0]["report"] == ""
