"""Which rows of the GitHub side go when, and which stay however old they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.github import retention
from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.report_issue import ReportIssue
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.tables import commands, deliveries, effects, repositories
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository

REPOSITORY = Repository(id=1, owner="octo", name="shop", installation_id=9)
OLD, YOUNG, BETWEEN = 1_000, 3_000, 2_000


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        known = {"id": 1, "owner": "octo", "name": "shop", "installation_id": 9, "state": "active"}
        tx.execute(repositories.insert().values(**known))
        yield tx
    database.close()


def keys(tx: Transaction, column: sa.Column[str]) -> set[str]:
    return set(tx.execute(sa.select(column)).scalars())


def comment(tx: Transaction, key: str, body: str, now: int) -> EffectRow:
    rows.want(tx, key, REPOSITORY, Comment(number=7, body=body), now)
    due = rows.next_due(tx, 9, now)
    assert isinstance(due, EffectRow)
    return due


def test_a_comment_that_is_still_wanted_or_was_changed_lately_is_known(tx: Transaction) -> None:
    for key in ("old", "edited", "written late"):
        rows.written(tx, comment(tx, key, "one", OLD), 5, OLD)
    rows.written(tx, comment(tx, "edited", "two", YOUNG), 5, YOUNG)
    rows.written(tx, comment(tx, "again", "one", OLD), 6, YOUNG)
    report = ReportIssue(title="Audit", body="b")
    rows.want(tx, "report", REPOSITORY, report, OLD)
    due = rows.next_due(tx, 9, OLD)
    assert isinstance(due, EffectRow)
    rows.written(tx, due, 4, OLD)
    comment(tx, "wanted", "one", OLD)
    while retention.forget_effects(tx, BETWEEN):
        pass
    assert keys(tx, effects.c.key) == {"edited", "again", "report", "wanted"}


def test_what_was_written_loses_its_text_and_is_written_again_when_wanted(tx: Transaction) -> None:
    check = CheckRun(name="x", head="h", status="queued", title="t", summary="s")
    report = ReportIssue(title="Audit", body="b")
    for key, of_parts in (("check", check), ("report", report)):
        rows.want(tx, key, REPOSITORY, of_parts, OLD)
        due = rows.next_due(tx, 9, OLD)
        assert isinstance(due, EffectRow)
        rows.written(tx, due, 4, OLD)
    rows.written(tx, comment(tx, "old", "one", OLD), 5, OLD)
    rows.written(tx, comment(tx, "young", "one", OLD), 6, YOUNG)
    waits = comment(tx, "wanted", "one", OLD)
    assert [retention.forget_texts(tx, BETWEEN) for _ in range(2)] == [3, 0]
    texts = dict(tx.execute(sa.select(effects.c.key, effects.c.wanted)).tuples().all())
    assert {key for key, text in texts.items() if text} == {"check", "report", "young", "wanted"}
    assert (lookups.wanted_of(tx, "old"), lookups.wanted_of(tx, "report")) == (None, report)
    rows.written(tx, waits, 7, OLD)
    again = comment(tx, "old", "one", YOUNG)
    assert (again.key, again.remote_id, again.first) == ("old", 5, False)
    rows.written(tx, again, 5, YOUNG)
    assert retention.forget_texts(tx, YOUNG + 1) == 3, "also of what was wanted anew"


def command(tx: Transaction, key: str, **values: object) -> None:
    usual = {"state": "handled", "thread": "1:7", "actor_id": 3, "line": "/pool help"}
    usual |= {"request": {}, "tries": 0, "due_ms": 0, "received_ms": OLD}
    tx.execute(commands.insert().values(key=key, **usual | values))


def test_commands_that_are_not_handled_stay_and_those_with_a_chain_stay_longer(
    tx: Transaction,
) -> None:
    command(tx, "waits", state="received")
    command(tx, "old")
    command(tx, "young", received_ms=YOUNG)
    command(tx, "with a chain", chain_id="c0ffee")
    assert retention.forget_answered(tx, BETWEEN) == 1
    assert keys(tx, commands.c.key) == {"waits", "young", "with a chain"}
    assert retention.forget_commands(tx, BETWEEN) == 1
    assert retention.forget_commands(tx, BETWEEN) == 0
    assert keys(tx, commands.c.key) == {"waits", "young"}


def test_many_deliveries_go_in_small_steps(tx: Transaction) -> None:
    every = [
        {"guid": f"{at}-{number}", "event": "issues", "received_ms": at}
        for at in (OLD, YOUNG)
        for number in range(1_200)
    ]
    tx.execute(deliveries.insert(), every)
    assert [retention.forget_deliveries(tx, BETWEEN) for _ in range(4)] == [500, 500, 200, 0]
    assert all(guid.startswith(str(YOUNG)) for guid in keys(tx, deliveries.c.guid))


def test_deletion_asks_an_index_and_not_the_whole_table(tx: Transaction) -> None:
    for statement in (
        "SELECT guid FROM deliveries WHERE received_ms < 5 LIMIT 5",
        "SELECT key FROM effects WHERE state = 'written' AND changed_ms < 5 LIMIT 5",
        "SELECT key FROM effects WHERE trimmed_ms IS NULL AND state = 'written' AND changed_ms < 5 LIMIT 5",
        "SELECT id FROM chains WHERE trimmed_ms IS NULL AND ended_ms IS NOT NULL AND ended_ms < 5",
        "SELECT id FROM chains WHERE state = 'done' AND ended_ms < 5 ORDER BY ended_ms LIMIT 5",
        "SELECT run_id FROM patches WHERE created_ms < 5 LIMIT 5",
        "SELECT chain_id FROM tasks WHERE transcript IS NOT NULL OR prompt IS NOT NULL LIMIT 5",
        "SELECT sum(settled) FROM reservations WHERE level = 'chain' AND created_ms > 5",
        "SELECT chain_id FROM chain_scopes WHERE kind = 'thread' AND key = '1:7'",
    ):
        plan = " ".join(str(row) for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"))
        assert " INDEX ix_" in plan, (statement, plan)
    for covered in (
        "SELECT sum(coalesce(settled, reserved)) FROM reservations WHERE level = 'chain' AND created_ms > 5",
        "SELECT chain_id FROM chain_scopes WHERE kind = 'thread' AND key = '1:7'",
    ):
        plan = " ".join(str(row) for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {covered}"))
        assert "COVERING INDEX" in plan, plan
