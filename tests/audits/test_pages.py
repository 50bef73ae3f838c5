"""A report as a page: what it shows, where it leads, and what is drawn in it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from claude_pool_gh.audits.model import AuditFinding, AuditState, Completeness
from claude_pool_gh.audits.outputs import html
from claude_pool_gh.audits.outputs.page import items, line, page, table, text
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import COMMIT, HOME, defect, partial, plan, point, result, rich, shard


def shown(*findings: AuditFinding, home: str = HOME, **fields: Any) -> str:
    return html.document(result(*findings, **fields), home)


def article(**fields: Any) -> str:
    return shown(defect(1, **fields)).partition("<article>")[2].partition("</article>")[0]


# ---- parts


def test_a_text_of_anybodys_is_text() -> None:
    assert text("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert "\u202e" not in text("a\u202eb")
    assert line("`<b>` is `x` a`b") == "<code>&lt;b&gt;</code> is <code>x</code> a`b"
    assert items(["<i>", "b"]) == "<li>&lt;i&gt;</li><li>b</li>"
    whole = page("<title>", ["<p>safe</p>", "<p>too</p>"])
    assert "<title>&lt;title&gt;</title>" in whole
    assert "<main>\n<p>safe</p>\n<p>too</p>\n</main>" in whole


def test_a_table_marks_its_numbers_and_without_rows_there_is_none() -> None:
    made = table(("a", "b", "c"), 2, [["x", "1", "2"]])
    assert "<th>a</th><th class=n>b</th><th class=n>c</th>" in made
    assert "<td>x</td><td class=n>1</td><td class=n>2</td>" in made
    assert table(("a",), 0, []) == ""


# ---- findings


@pytest.mark.parametrize(
    ("place", "told", "anchor"),
    [
        ({"start_line": 5, "end_line": 5}, "shop/a.py:5", "#L5"),
        ({"start_line": 5, "end_line": 9}, "shop/a.py:5-9", "#L5"),
        ({"path": 'shop/a b".py', "start_line": 1, "end_line": 1}, "a b&quot;.py:1", "#L1"),
    ],
)
def test_a_place_leads_to_its_line_at_the_commit_that_was_read(
    place: dict[str, Any], told: str, anchor: str
) -> None:
    made = article(stated={"path": "shop/a.py"} | place)
    (address,) = re.findall(r'<a href="([^"]*)">', made)
    assert address.startswith(f"{HOME}/blob/{COMMIT}/shop/a")
    assert address.endswith(anchor)
    assert " " not in address
    assert f"{told}</code></a>" in made


def test_what_is_not_there_any_more_or_has_no_home_is_not_linked() -> None:
    assert "<a " not in article(file_gone=True)
    for home in ("", "http://github.example/octo/shop", "//github.example"):
        assert "<a " not in shown(defect(1), home=home)


def test_a_finding_says_what_it_is_and_how_sure() -> None:
    made = article(state=AuditState.new, stated={"severity": "low", "suggestion": "x < 1"})
    assert '<span class="tag low">low</span> · new ' in made
    assert "<pre>x &lt; 1</pre>" in made
    assert "<code>total</code> has it already." in made, "its body is Markdown"
    assert " · " not in article().partition("<header>")[2].partition("</header>")[0]
    assert "Suggested in place" not in article()
    assert "Also at" not in article()
    many = tuple(defect(number).finding for number in (2, 3))
    assert "Also at <code>shop/prices_2.py:3</code>, <code>shop/prices_3.py:4</code>" in article(
        also=many
    )


# ---- the rest


def test_a_page_has_its_sections_in_the_order_of_their_worth() -> None:
    heads = re.findall(r"<h[12]>([^<]*)</h", html.document(rich(), HOME))
    assert heads == [
        "Audit of octo/shop: defects",
        "By folder",
        "Critical: 1 finding",
        "High: 3 findings",
        "Medium: 3 findings",
        "Low: 1 finding",
        "Claims that nobody could settle",
        "Left out, and counted only",
        "Fixed: 1",
        "Dismissed: 1",
        "Runs",
    ]
    assert re.findall(r"<h[12]>([^<]*)</h", html.document(result(), HOME)) == heads[:1]


def test_the_command_that_goes_on_is_shown_where_something_is_left_alone() -> None:
    assert "<code>/pool continue c-0123456789</code>" in html.document(partial())
    assert "/pool continue" not in html.document(partial(resume=""))
    complete = result(resume="/pool continue c-0123456789")
    assert "/pool continue" not in html.document(complete)


def test_only_severities_that_there_are_have_a_column() -> None:
    made = shown(defect(1, stated={"severity": "high"}), defect(8, stated={"severity": "low"}))
    folders = made.partition("<h2>By folder</h2>")[2].partition("</table>")[0]
    head = ["folder", "high", "low", "all"]
    assert re.findall(r"<th[^>]*>([^<]*)</th>", folders) == head
    assert re.findall(r"<td[^>]*>(.*?)</td>", folders) == ["<code>shop/</code>", "1", "1", "2"]
    many = [defect(number, stated={"path": f"d{number:02}/x.py"}) for number in range(22)]
    assert "and 2 folders more" in shown(*many)
    assert "more</p>" not in shown(*many[:20])


def test_the_counts_are_of_what_stands() -> None:
    made = shown(
        defect(1, state=AuditState.new),
        defect(2, state=AuditState.reappeared),
        defect(3),
        defect(4, state=AuditState.dismissed),
    )
    row = made.partition("<tbody>")[2].partition("</tr>")[0]
    assert re.findall(r"<td[^>]*>(.*?)</td>", row) == [
        '<span class="tag high">high</span>',
        "3",
        "1",
        "1",
    ]


def test_runs_are_listed_newest_first() -> None:
    history = (point(1, cost=1_000_000), point(2, completeness=Completeness.partial, fixed=4))
    made = shown(history=history).partition("<h2>Runs</h2>")[2]
    first, second = made.partition("<tbody>")[2].split("</tr>")[:2]
    assert re.findall(r"<td>(.*?)</td>", first) == [
        "23 November 2026, 00:00 UTC",
        "<code>c0ffee000</code>",
        "3",
        "1",
        "4",
        "$3.00",
        "partial",
    ]
    assert "$1.00" in second
    assert "<h2>Runs</h2>" not in shown(history=history[:1])


def test_a_chart_is_drawn_from_its_left_edge_to_its_right_and_no_higher_than_its_top() -> None:
    history = (
        point(1, open={Severity.high: 1, Severity.low: 3}),
        point(2, open={Severity.critical: 2}),
        point(3, open={}),
    )
    made = shown(history=history)
    lines = dict(re.findall(r'<polyline class="(\w+)" points="([^"]*)"', made))
    assert lines == {
        "all": "28.0,10.0 320.0,91.0 612.0,172.0",
        "serious": "28.0,131.5 320.0,91.0 612.0,172.0",
    }
    assert '<text x="0" y="14">4</text>' in made
    assert "Open findings after each of the last 3 runs, from 4 to 0" in made
    assert "<svg" not in shown(history=history[:1])


def test_a_chart_of_nothing_lies_at_its_bottom() -> None:
    calm = tuple(point(number, open={}) for number in (1, 2))
    made = shown(history=calm)
    assert 'points="28.0,172.0 612.0,172.0"' in made


def test_a_repositorys_words_are_text_wherever_they_stand() -> None:
    hostile = "<img src=x>"
    planned = plan(shard(1), audit=hostile, branch=hostile, notices=(hostile,))
    made = html.document(
        partial(
            defect(1, state=AuditState.dismissed, settled_by=hostile, reason=hostile),
            plan=planned,
            problems=(hostile,),
            resume=hostile,
        )
    )
    assert "<img" not in made
    assert made.count("&lt;img src=x&gt;") == 8
