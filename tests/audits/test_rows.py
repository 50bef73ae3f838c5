"""What is kept of audits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from claude_pool_gh.audits import rows
from claude_pool_gh.audits.estimate import PastRun
from claude_pool_gh.audits.model import Completeness, HistoryPoint
from claude_pool_gh.audits.rows import AuditRun, AuditTrait, audit_key
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.severity import Severity
from tests.findings.make import finding

KEY = audit_key(7, "defects")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    made = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(made.engine)
    yield made
    made.close()


def run(number: int, *, audit: str = KEY, whole: bool = True, everything: bool = True) -> AuditRun:
    """The n-th run of an audit."""
    return AuditRun(
        chain_id=f"{audit}-{number}",
        audit=audit,
        digest="d",
        started_ms=number,
        everything=everything,
        point=HistoryPoint(
            ended_ms=number,
            commit=f"{number:040}",
            open={Severity.high: number},
            new=1,
            fixed=2,
            completeness=Completeness.complete if whole else Completeness.partial,
            cost=3,
        ),
        past=PastRun(tokens=4, cost=3, seconds=5.0, shards=6),
    )


def _remember(each: AuditRun, tx: Transaction) -> None:
    rows.remember_run(tx, each)


def _note(each: AuditTrait, tx: Transaction) -> None:
    rows.note_traits(tx, KEY, {"m": each})


async def test_runs_are_read_back_newest_first_and_stored_once(database: Database) -> None:
    other = run(9, audit=audit_key(70, "defects"))
    for each in (run(1), run(2), run(2), other):
        await database.transact(partial(_remember, each))
    assert await database.read(lambda tx: rows.runs_of(tx, KEY)) == [run(2), run(1)]
    assert await database.read(lambda tx: rows.names_of(tx, 7)) == ["defects"]


async def test_what_changed_is_counted_from_the_last_run_that_read_everything(
    database: Database,
) -> None:
    for each in (run(1), run(2, whole=False), run(3, everything=False)):
        await database.transact(partial(_remember, each))
    last = await database.read(lambda tx: rows.last_complete(tx, KEY))
    assert last == run(1)


async def test_only_so_many_runs_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_KEPT", 2)
    for number in range(1, 5):
        await database.transact(partial(_remember, run(number)))
    found = await database.read(lambda tx: rows.runs_of(tx, KEY))
    assert [each.started_ms for each in found] == [4, 3]


async def test_a_finding_that_is_noted_again_was_seen_once_more(database: Database) -> None:
    first = AuditTrait(rule="defects/crash", verified=False)
    again = AuditTrait(rule="defects/crash", verified=True, also=(finding(),))
    for each in (first, again):
        await database.transact(partial(_note, each))
    found = await database.read(lambda tx: rows.traits_of(tx, KEY))
    assert found == {
        "m": AuditTrait(rule="defects/crash", verified=True, seen=2, also=(finding(),))
    }
