"""An overview says what is missing before what was found, and one budget is shared without ever being passed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from claude_pool_gh.audits.fleet import outputs
from claude_pool_gh.audits.fleet.model import Overview, Row, RowState, row_of
from claude_pool_gh.audits.fleet.share import LEAST, Reserve, UsedUp, WaitForOthers, share
from claude_pool_gh.audits.model import Completeness
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import defect, partial, result
from tests.service.browser import installed, opened

SHOP = Row(
    repository="octo/shop",
    state=RowState.findings,
    open={Severity.high: 2, Severity.low: 1},
    new=1,
    files_read=12,
    cost=1_500_000,
    report="octo/shop/report",
)
MILL = Row(repository="octo/mill", state=RowState.clean, files_read=3, cost=20_000)
GONE = Row(
    repository="octo/gone", state=RowState.not_audited, reason="<script>GitHub</script> @all"
)
ALL = Overview(
    audit="security",
    source="octo",
    rows=(SHOP, MILL, GONE),
    budget=5_000_000,
    started_ms=0,
    ended_ms=60_000,
    left_out={"archived": 2},
)


def test_an_overview_is_whole_only_where_every_repository_was_audited_whole() -> None:
    assert outputs.verdict(ALL) == (
        "PARTLY AUDITED: 1 of 3 repositories not whole; 3 findings open (2 high, 1 low)"
    )
    whole = replace(ALL, rows=(SHOP, MILL))
    assert outputs.verdict(whole) == "3 findings open (2 high, 1 low) in 2 repositories"
    assert outputs.verdict(replace(ALL, rows=(MILL,))) == "no finding open in 1 repository"
    assert outputs.verdict(replace(ALL, rows=())).startswith("NOT AUDITED")
    assert not replace(ALL, rows=()).is_whole


def test_a_row_says_what_a_result_came_to() -> None:
    assert row_of(result(), "o/r", "").state is RowState.clean
    assert row_of(result(defect(1)), "o/r", "").state is RowState.findings
    assert row_of(partial(), "o/r", "").state is RowState.partial
    nothing = result(completeness=Completeness.nothing)
    assert row_of(nothing, "o/r", "").state is RowState.not_audited
    assert row_of(replace(result(), problems=("x",)), "o/r", "").state is RowState.partial


def test_every_form_has_each_repository_with_its_reason_and_nothing_comes_alive() -> None:
    page, text, typed = outputs.html(ALL), outputs.markdown(ALL), json.loads(outputs.json(ALL))
    for row in ALL.rows:
        assert row.repository in page
        assert row.repository in text
    assert "<script>" not in page
    assert "`<script>`GitHub`</script>` `@all`" in text, "code is shown, and does nothing"
    assert 'href="octo/shop/report.html"' in page
    assert "](<octo/shop/report.md>)" in text
    assert typed["repositories"][0]["report"] == "octo/shop/report.json"
    assert (typed["covered"], typed["cost_microdollars"]) == (2, 1_520_000)
    assert typed["left_out"] == {"archived": 2}
    assert "octo/gone  not audited" in outputs.plain(ALL)


@pytest.mark.skipif(installed() is None, reason="no browser on this machine")
async def test_the_overview_is_readable_in_a_browser_however_narrow(tmp_path: Path) -> None:
    rows = [replace(SHOP, repository=f"octo/{'a-long-name-' * 6}{n}") for n in range(40)]
    file = tmp_path / "overview.html"
    file.write_text(outputs.html(replace(ALL, rows=(*rows, GONE))), "utf-8")
    program = installed()
    assert program is not None
    async with opened(program, tmp_path / "profile") as page:
        await page.call("Emulation.setDeviceMetricsOverride", **PHONE)
        await page.call("Page.navigate", url=file.as_uri())
        await page.until("document.readyState == 'complete' && !!document.querySelector('table')")
        assert await page.script("document.querySelectorAll('tbody tr').length") == 41
        assert await page.script("document.documentElement.scrollWidth <= innerWidth")


PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}


def test_who_wants_more_than_is_left_waits_while_others_may_give_some_back() -> None:
    assert share(10, 10, others_hold=True) == Reserve(10)
    assert share(9, 10, others_hold=True) == WaitForOthers()
    assert share(LEAST, 10 * LEAST, others_hold=False) == Reserve(LEAST)
    assert share(LEAST - 1, LEAST, others_hold=False) == UsedUp()


@given(
    budget=some.integers(0, 50 * LEAST),
    repositories=some.lists(
        some.tuples(some.integers(1, 9 * LEAST), some.floats(0, 1)), max_size=12
    ),
    beside=some.integers(1, 4),
)
def test_reservations_never_pass_the_budget_and_everybody_gets_an_answer(
    budget: int, repositories: list[tuple[int, float]], beside: int
) -> None:
    held: list[tuple[int, float]] = []
    spent, answered = 0, 0
    for wanted, used in repositories:
        while True:
            left = budget - spent - sum(amount for amount, _ in held)
            assert left >= 0
            given_ = share(left, wanted, others_hold=bool(held))
            if isinstance(given_, Reserve):
                held.append((given_.amount, used))
            elif isinstance(given_, WaitForOthers):
                amount, part = held.pop(0)
                spent += int(amount * part)
                continue
            answered += 1
            break
        if len(held) >= beside:
            amount, part = held.pop(0)
            spent += int(amount * part)
    assert answered == len(repositories)
    assert spent + sum(amount for amount, _ in held) <= budget
