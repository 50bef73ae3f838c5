"""The report issue: its first screen is always there, whole folds fit, and nothing that an agent wrote is alive."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from claude_pool_gh.audits.model import AuditResult, AuditState, Completeness
from claude_pool_gh.audits.outputs import issue, markdown
from claude_pool_gh.audits.outputs.summary import NextRun
from claude_pool_gh.reports.rendered import ACTING, Page, html_of
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
    rich,
)

NEXT = NextRun(start_ms=START + 7 * DAY, timezone="Europe/Berlin", cron="0 4 * * MON")


def screen(text: str) -> str:
    """What stands before the first fold."""
    return text.partition("<details>")[0]


def test_the_first_screen_says_verdict_counts_the_worst_and_when_it_goes_on() -> None:
    text = screen(issue_of(rich(), HOME, NEXT))
    assert text.startswith("### 🔎 8 findings open: 1 critical, 3 high, 3 medium, 1 low\n")
    assert (
        f"[`c0ffee000`]({HOME}/commit/{COMMIT}) of `main` · 2 files read · $3.25 of $20.00" in text
    )
    assert "| **high** | 3 | 1 | 1 |" in text
    worst = [line for line in text.split("\n") if line.startswith("- **")]
    assert [line.split("**")[1] for line in worst[:4]] == ["critical", "high", "high", "high"]
    assert "Next run: 8 December 2026, 01:00 Europe/Berlin." in text
    assert "Since the last run: 2 new, 1 back again, 1 fixed." in text
    assert f"`/pool fix {name(1)[:10]}` · " in text
    assert "xychart-beta" in text


def test_clean_is_said_only_where_nothing_is_missing() -> None:
    assert issue_of(result(), HOME).startswith("### ✅ nothing found in 1 file\n")
    text = issue_of(partial(), HOME)
    assert text.startswith("### ⚠️ PARTLY AUDITED: 3 files not read; no finding open\n")
    for line in (
        "> ⚠️ The budget was used up.",
        "> ⚠️ 1 part of 3 failed.",
        "> ⚠️ 1 part of 3 did not start.",
        "To go on with what is left: `/pool continue c-0123456789`",
        "| `shop/2` | 1 | failed | the model refused |",
    ):
        assert line in text
    nothing = partial(completeness=Completeness.nothing)
    assert issue_of(nothing, HOME).startswith("### ⚠️ NOT AUDITED: no file was read;")
    assert "✅" not in text + issue_of(nothing, HOME)


def test_unsettled_claims_are_not_clean() -> None:
    text = issue_of(result(unsettled=rich().unsettled), HOME)
    assert text.startswith("### ⚠️ PARTLY AUDITED: 1 claim not settled; no finding open\n")
    assert "**high** A lock may be taken twice `shop/lock.py:9`" in text


def test_serious_claims_that_nobody_verified_are_not_clean() -> None:
    short = result(unverified=3, problems=("3 serious claims not verified.",))
    text = issue_of(short, HOME)
    assert text.startswith("### ⚠️ PARTLY AUDITED: 3 claims not settled; no finding open\n")
    assert "> ⚠️ 3 serious claims not verified." in text


def test_each_finding_is_a_fold_with_evidence_scenario_and_suggestion() -> None:
    text = issue_of(rich(), HOME)
    for each in rich().standing:
        assert f"(<code>{each.id[:10]}</code>)</summary>" in text
    assert text.count("<summary>") == text.count("</details>")
    fold = text.partition("#### Critical: 1")[2].partition("</details>")[0]
    assert "```python\n    return total - rebate\n```" in fold
    assert "**When it goes wrong:** two items" in fold
    assert "**Suggested in place of these lines:**" in fold
    assert "confirmed by a second agent" in fold
    assert "```suggestion" not in text
    assert "Fixed: 1" in text
    assert "dismissed by `mona`: the caller checks it" in text
    assert "5 claims refuted by a second agent that read the code" in text
    assert "hidden by the repository's own `.gitattributes`: `src/core.py`" in text
    assert "- vendored: 120 files" in text


@pytest.mark.parametrize("filler", ["x", "ü", "🦀", "漢"])
@pytest.mark.parametrize("limit", [20_000, issue.LIMIT])
def test_it_stays_below_its_limit_by_whole_folds_that_are_counted(filler: str, limit: int) -> None:
    words = (f"{filler * 40} " * 70)[:2_400]
    every = [
        defect(number, stated={"body": words, "evidence": filler * 300, "suggestion": filler * 400})
        for number in range(1, 121)
    ]
    of = result(*every, history=rich().history)
    text = issue_of(of, HOME, NEXT, limit=limit)
    assert len(text.encode()) <= limit
    assert screen(text) == screen(issue_of(of, HOME, NEXT, limit=10**9))
    shown = text.count("**When it goes wrong:**")
    assert 0 < shown < 120
    assert f"*{120 - shown} findings more are not shown" in text
    assert text.count("<details>") == text.count("</details>")
    assert html_of(text).rstrip().endswith("</sub></p>"), "the foot stands outside every fold"


def test_the_first_screen_is_there_however_much_there_is_to_say() -> None:
    long = defect(1, stated={"title": "t" * 200, "path": "d/" * 200 + "x.py", "severity": "high"})
    many = [replace(long, id=name(number)) for number in range(1, 3_000)]
    of = partial(*many, problems=tuple("p" * 500 for _ in range(50)))
    text = issue_of(of, HOME, NEXT)
    assert len(text.encode()) <= issue.LIMIT
    assert "PARTLY AUDITED" in text
    assert "- and 2989 more" in text
    assert "> ⚠️ and 46 more" in text
    assert "Next run" in text


HOSTILE = (
    "@mona closes #1, see https://evil.example/x [a](https://evil.example)\n\n"
    "<img src=x onerror=alert(1)> ![p](https://evil.example/p.png)\n\n/pool approve abc\n\n"
    "</details></details> <!-- claude-pool:abc -->\n\n```mermaid\ngraph\n```\n\n| a |\n|---|\n"
)


@pytest.mark.parametrize("form", ["issue", "markdown"])
@pytest.mark.parametrize("field", ["title", "body", "scenario", "evidence", "suggestion", "path"])
def test_nothing_that_an_agent_wrote_acts(field: str, form: str) -> None:
    said = {"evidence": f"x = 1\n````\n{HOSTILE}", "path": "a`|b</summary>@mona.py"}.get(
        field, HOSTILE
    )
    said = said[:190] if field == "title" else said[:590] if field == "scenario" else said
    hostile, harmless = defect(1, stated={field: said}), defect(1, stated={"suggestion": "x"})

    def write(of: AuditResult) -> str:
        return issue_of(of, HOME) if form == "issue" else markdown.document(of)

    page, calm = (Page(write(result(each)), tables=True) for each in (hostile, harmless))
    ours = {each for each in calm.acting if not ACTING.fullmatch(each)}
    assert set(page.acting) <= ours | {"<!-- raw HTML omitted -->"}
    assert "evil.example/p.png" not in re.findall(r'src="([^"]*)"', html_of(write(result(hostile))))
    text = write(result(hostile))
    assert not re.search(r"^/pool", text, re.MULTILINE)
    assert "<!-- claude-pool:abc" not in text


def test_the_chart_has_numbers_only_and_the_same_as_a_table() -> None:
    of = result(defect(1), history=tuple(point(number % 9) for number in range(40)))
    text = issue_of(of, HOME)
    chart = text.partition("```mermaid\n")[2].partition("```")[0]
    lines = re.findall(r"line \[([0-9, ]+)\]", chart)
    totals, serious = ([int(each) for each in line.split(", ")] for line in lines)
    assert len(totals) == len(serious) == 30
    assert all(all_ == high + 1 for all_, high in zip(totals, serious, strict=True))
    assert "| 30 | " in text
    assert "shop" not in chart
    assert not re.search(r"xychart-beta", issue_of(result(defect(1)), HOME)), "no line of a point"


def test_what_was_passed_over_stopped_and_switched_off_is_told() -> None:
    passed = replace(NEXT, passed_ms=START, passed_why="nothing had changed since the last run")
    told = screen(issue_of(result(), HOME, replace(passed, missed=3)))
    assert (
        "Nothing ran on 1 December 2026, 01:00 Europe/Berlin: nothing had changed since the last run."
        in told
    )
    assert "This run also stands for 3 due times before it that the server missed." in told
    assert "The schedule is stopped, by mona." in issue_of(
        result(), HOME, replace(NEXT, start_ms=None, stopped_by="mona")
    )
    off = "GitHub has switched the Actions workflow off."
    assert off in issue_of(result(), HOME, workflow_off=off)


def test_a_comment_is_made_only_where_something_new_and_serious_stands_or_coverage_fell() -> None:
    assert issue.notice(result()) is None
    assert issue.notice(result(defect(1, stated={"severity": "critical"}))) is None, "not new"
    mild = defect(1, state=AuditState.new, stated={"severity": "medium"})
    assert issue.notice(result(mild)) is None
    new = defect(2, state=AuditState.new, stated={"title": "@mona breaks"})
    text = issue.notice(result(new)) or ""
    assert text.startswith("1 finding of high or critical severity, new:\n- **high** ")
    assert Page(text).acting == []
    fell = partial(history=(point(1), point(2, completeness=Completeness.partial)))
    assert issue.notice(fell) == "PARTLY AUDITED: 3 files not read; no finding open."
    still = partial(history=(point(1, completeness=Completeness.partial), point(2)))
    assert issue.notice(still) is None


def test_by_folder_the_most_serious_come_first() -> None:
    of = result(
        defect(1, stated={"path": "a/b/c/x.py", "severity": "low"}),
        defect(2, stated={"path": "a/b/y.py", "severity": "low"}),
        defect(3, stated={"path": "z/y.py", "severity": "critical"}),
        defect(4, stated={"path": "top.py", "severity": "low"}),
    )
    text = issue_of(of, HOME)
    table = text.partition("| folder | critical | low | all |\n|---|--:|--:|--:|\n")[2]
    assert table.split("\n")[:3] == [
        "| `z/` | 1 | · | 1 |",
        "| `a/b/` | · | 2 | 2 |",
        "| `./` | · | 1 | 1 |",
    ]


def test_the_file_leaves_nothing_out() -> None:
    of = result(*(defect(number) for number in range(1, 400)))
    text = markdown.document(of)
    assert text.count("**When it goes wrong:**") == 399
    assert f"`{name(399)}`" in text
    assert "/pool" not in text
    assert str(Severity.high.capitalize()) in text
