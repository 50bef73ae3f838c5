"""What was said in a thread is said once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.findings import tables
from claude_pool_gh.findings.identity import (
    carried,
    fingerprint,
    located,
    with_title_digest,
)
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.tables import ReviewBasis, Standing
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.findings import make


def finding(**more: Any) -> Finding:
    """A finding as rows have it."""
    return with_title_digest(make.finding(**more))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


async def remember(
    database: Database, thread: str, *found: Finding, recipe: str = "review", now_ms: int = 1
) -> list[Finding]:
    return await database.transact(
        lambda tx: tables.remember(tx, thread, f"c{now_ms}", recipe, found, now_ms)
    )


async def settle(
    database: Database, thread: str, found: Finding, state: Standing, now_ms: int = 5, **said: str
) -> bool:
    mark = fingerprint(found)
    return await database.transact(
        lambda tx: tables.settle(tx, thread, mark, state, now_ms, **said)
    )


async def test_a_finding_is_remembered_once_for_each_thread(database: Database) -> None:
    first, moved, other = finding(), finding(start_line=90, end_line=90), finding(evidence="other")
    assert await remember(database, "1:7", first) == [first]
    assert await remember(database, "1:7", moved, other, now_ms=2) == [other]
    assert await remember(database, "1:8", moved, now_ms=3) == [moved]
    assert await database.read(lambda tx: tables.known(tx, "1:7", "open")) == [first, other]
    assert await database.read(lambda tx: tables.known(tx, "1:8", "open")) == [moved]
    assert await database.read(lambda tx: tables.known(tx, "1:7", "dismissed")) == []


async def test_the_last_reviewed_commit_is_the_newest(database: Database) -> None:
    first = ReviewBasis(head="a" * 40, merge_base="0" * 40, digest="d")
    second = ReviewBasis(head="b" * 40, merge_base="1" * 40, digest="e")
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:7")) is None
    await database.transact(lambda tx: tables.set_reviewed(tx, "1:7", first, "c1"))
    await database.transact(lambda tx: tables.set_reviewed(tx, "1:7", second, "c2"))
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:7")) == second
    assert await database.read(lambda tx: tables.last_reviewed(tx, "1:8")) is None


async def test_what_became_of_a_finding_is_kept_with_who_said_so_and_why(
    database: Database,
) -> None:
    one = finding()
    await remember(database, "1:7", one)
    assert await settle(database, "1:7", one, Standing.dismissed, reason="by design", by="mona")
    [known] = await database.read(lambda tx: tables.every(tx, "1:7"))
    assert (known.mark, known.finding, known.thread) == (fingerprint(one), one, "1:7")
    assert (known.state, known.reason, known.by) == (Standing.dismissed, "by design", "mona")
    assert known.settled_ms >= known.created_ms > 0


@pytest.mark.parametrize("state", [state for state in Standing if state is not Standing.open])
async def test_only_an_open_finding_of_that_thread_is_settled(
    database: Database, state: Standing
) -> None:
    one = finding()
    await remember(database, "1:7", one)
    await remember(database, "1:8", one)
    assert await settle(database, "1:7", one, state)
    assert not await settle(database, "1:7", one, Standing.dismissed)
    assert not await settle(database, "1:9", one, Standing.dismissed)
    assert await database.read(lambda tx: tables.known(tx, "1:7", state)) == [one]
    assert await database.read(lambda tx: tables.known(tx, "1:8", Standing.open)) == [one]


@pytest.mark.parametrize("state", list(Standing))
async def test_only_a_fixed_or_ignored_finding_that_comes_back_is_said_again(
    database: Database, state: Standing
) -> None:
    one = finding()
    await remember(database, "1:7", one)
    if state is not Standing.open:
        await settle(database, "1:7", one, state)
    came_back = state in (Standing.fixed, Standing.ignored)
    assert await remember(database, "1:7", one, now_ms=9) == ([one] if came_back else [])
    [known] = await database.read(lambda tx: tables.every(tx, "1:7"))
    assert known.state is (Standing.open if came_back else state)


async def test_a_thread_that_is_closed_leaves_what_was_open_ignored(database: Database) -> None:
    one, two = finding(), finding(evidence="two")
    await remember(database, "1:7", one, two)
    await remember(database, "1:8", one)
    await settle(database, "1:7", one, Standing.fixed)
    await database.transact(lambda tx: tables.ignore_open(tx, "1:7", 9))
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.ignored)) == [two]
    await database.transact(lambda tx: tables.reopen_ignored(tx, "1:8"))
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.ignored)) == [two]
    await database.transact(lambda tx: tables.reopen_ignored(tx, "1:7"))
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.open)) == [two]
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.fixed)) == [one]
    assert await database.read(lambda tx: tables.known(tx, "1:8", Standing.open)) == [one]


async def test_the_newest_dismissals_are_those_of_this_repository_alone(database: Database) -> None:
    found = [finding(evidence=str(n)) for n in range(4)]
    for at, thread in enumerate(("1:7", "1:8", "11:7", "1:9")):
        await remember(database, thread, found[at])
        await settle(database, thread, found[at], Standing.dismissed, now_ms=10 + at)
    newest = await database.read(lambda tx: tables.dismissed_in(tx, 1, last=2))
    assert [each.finding for each in newest] == [found[3], found[1]]


async def test_recipes_are_judged_by_what_people_did_with_their_findings(
    database: Database,
) -> None:
    found = [finding(evidence=str(n)) for n in range(3)]
    await remember(database, "1:7", *found)
    await remember(database, "1:8", found[0], recipe="security")
    await remember(database, "11:7", found[0])
    await settle(database, "1:7", found[0], Standing.fixed)
    await settle(database, "1:7", found[1], Standing.dismissed)
    assert await database.read(lambda tx: tables.shares(tx, 1)) == {
        "review": {"fixed": 1, "dismissed": 1, "open": 1},
        "security": {"open": 1},
    }


async def test_where_an_open_finding_stands_now_is_noted_under_its_old_name(
    database: Database,
) -> None:
    one = finding()
    await remember(database, "1:7", one)
    now = carried(
        one,
        located(finding(path="b.py", start_line=2, end_line=2), "x\n    return total - rebate\n"),
    )
    await database.transact(lambda tx: tables.carry(tx, "1:7", now, "b" * 40))
    [known] = await database.read(lambda tx: tables.every(tx, "1:7"))
    assert (known.mark, known.finding, known.head) == (fingerprint(one), now, "b" * 40)
    assert await settle(database, "1:7", known.finding, Standing.fixed)
    await database.transact(lambda tx: tables.carry(tx, "1:7", one, "c" * 40))
    [known] = await database.read(lambda tx: tables.every(tx, "1:7"))
    assert known.finding == now, "only an open one is carried on"


async def test_an_older_row_keeps_the_name_that_its_comment_has(database: Database) -> None:
    one = finding()
    stated = one.model_dump(mode="json", exclude={"within", "nth", "mark", "restates"})

    def insert(tx: Transaction) -> None:
        values = {
            "id": "1:7.aaaa",
            "thread": "1:7",
            "fingerprint": "aaaa",
            "chain_id": "c",
            "recipe": "review",
            "state": "open",
            "stated": stated,
            "created_ms": 1,
        }
        tx.execute(tables.findings.insert().values(**values))

    await database.transact(insert)
    [known] = await database.read(lambda tx: tables.every(tx, "1:7"))
    assert (known.mark, fingerprint(known.finding), known.finding.within, known.head) == (
        "aaaa",
        "aaaa",
        None,
        "",
    )


async def test_a_thread_that_is_open_again_has_its_findings_open_again(database: Database) -> None:
    one, two = finding(), finding(evidence="two")
    await remember(database, "1:7", one, two)
    await settle(database, "1:7", two, Standing.dismissed)
    await database.transact(lambda tx: tables.ignore_open(tx, "1:7", 9))
    await database.transact(lambda tx: tables.reopen_ignored(tx, "1:7"))
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.open)) == [one]
    assert await database.read(lambda tx: tables.known(tx, "1:7", Standing.dismissed)) == [two]
