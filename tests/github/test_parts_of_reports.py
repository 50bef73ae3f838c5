"""A part of a report issue that changes between two audits never brings back the report of before."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.tables import effects, repositories
from claude_pool_gh.storage import Database, Transaction
from tests.github.known import SHOP


def report(body: str, since: str = "") -> ReportIssue:
    return ReportIssue(title="Audit", body=body, since=since, rest="rest")


def test_only_that_part_changes_and_of_what_is_not_known_nothing(tx: Transaction) -> None:
    rows.change_part(tx, "k", SHOP, "report_issue", 1, since="now")
    assert lookups.wanted_of(tx, "k") is None
    rows.want(tx, "k", SHOP, report("old"), 1)
    rows.change_part(tx, "k", SHOP, "report_issue", 2, since="now")
    assert lookups.wanted_of(tx, "k") == report("old", "now")


@pytest.mark.rotating(3)
def test_a_report_that_is_wanted_in_the_same_moment_stays(server: Database) -> None:
    def change() -> None:
        with server.engine.begin() as tx:
            rows.change_part(tx, "k", SHOP, "report_issue", 3, since="now")

    try:
        with server.engine.begin() as tx:
            tx.execute(repositories.insert().values(**SHOP.model_dump()))
            rows.want(tx, "k", SHOP, report("old"), 1)
        with ThreadPoolExecutor(1) as beside:
            with server.engine.begin() as tx:
                rows.want(tx, "k", SHOP, report("new"), 2)
                changing = beside.submit(change)
                time.sleep(0.3)
                assert not changing.done(), "it waits for the other one's end"
            changing.result()
        with server.engine.begin() as tx:
            assert lookups.wanted_of(tx, "k") == report("new", "now")
    finally:
        with server.engine.begin() as tx:
            tx.execute(effects.delete())
            tx.execute(repositories.delete())
