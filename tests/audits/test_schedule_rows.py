"""Schedules as rows: of any number of processes one begins a run, and a person's run counts like any other."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from claude_pool_gh.audits import schedule_rows as rows
from claude_pool_gh.audits.schedule import Begin, PassedOver, PassOver
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.schedules import parsed
from tests.audits.test_schedules import HOUR, ms

DAILY = parsed("0 4 * * *", "UTC")
T0 = ms("2026-01-01 10:00")
DUE = Begin(ms("2026-01-02 04:00"), 0)
NOW = ms("2026-01-02 05:00")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        fresh: Callable[[], str] = request.getfixturevalue("postgres")
        url = fresh()
    else:
        url = f"sqlite:///{tmp_path / 'pool.sqlite'}"
    opened = Database.open(url)
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def seen(database: Database, audit: str = "defects") -> rows.ScheduledAudit:
    with database.engine.begin() as tx:
        found = rows.get(tx, 5, audit)
    assert found is not None
    return found


async def test_of_two_that_decided_the_same_one_begins(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    first = second = seen(database)
    assert await database.transact(lambda tx: rows.begin(tx, first, DUE, "one", "d", NOW))
    assert not await database.transact(lambda tx: rows.begin(tx, second, DUE, "two", "d", NOW))
    now = seen(database)
    assert (now.record.live_run, now.record.last_due_ms) == ("one", DUE.due_ms)
    assert now.record.generation == 1
    assert now.look_ms == ms("2026-01-03 04:00") + now.scatter


def _race(url: str, number: int) -> bool:
    database = Database.open(url)
    try:
        with database.engine.begin() as tx:
            found = rows.get(tx, 5, "defects")
        assert found is not None
        with database.engine.begin() as tx:
            return rows.begin(tx, found, DUE, f"run {number}", "", NOW)
    finally:
        database.close()


async def test_of_many_processes_at_once_one_begins(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    url = database.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg", "postgresql")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        begun = pool.starmap(_race, [(url, number) for number in range(12)])
    assert begun.count(True) == 1
    assert seen(database).record.live_run == f"run {begun.index(True)}"


async def test_a_clock_that_was_a_month_ahead_costs_one_due_time_and_no_month(
    database: Database,
) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    ahead = Begin(ms("2026-02-02 04:00"), 31)
    late = ahead.due_ms + HOUR
    assert await database.transact(
        lambda tx: rows.begin(tx, seen(database), ahead, "one", "d", late)
    )
    await database.transact(lambda tx: rows.end(tx, "one", complete=True))
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, late))
    assert seen(database).record.last_due_ms == ahead.due_ms, "that is no clock set back"
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, NOW))
    now = seen(database)
    assert now.record.last_due_ms == ms("2026-01-03 04:00"), "it may have run before"
    assert now.look_ms == NOW, "when it comes next is decided now"
    assert now.next_start(NOW) == ms("2026-01-04 04:00") + now.scatter


async def test_nor_does_a_look_that_was_put_off_by_it(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    later = ms("2026-02-02 04:05")
    await database.transact(lambda tx: rows.look_again(tx, seen(database), later))
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, NOW))
    now = seen(database)
    assert (now.record.last_due_ms, now.look_ms) == (T0, NOW), "nothing was dealt with"


async def test_a_person_and_a_due_time_do_not_both_begin(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    before = seen(database)
    assert await database.transact(lambda tx: rows.take(tx, 5, "defects", "by hand", NOW))
    assert await database.transact(lambda tx: rows.take(tx, 5, "defects", "by hand", NOW))
    assert not await database.transact(lambda tx: rows.take(tx, 5, "defects", "another", NOW))
    assert not await database.transact(lambda tx: rows.begin(tx, before, DUE, "due", "", NOW))
    assert await database.transact(lambda tx: rows.end(tx, "by hand", complete=True))
    assert not await database.transact(lambda tx: rows.end(tx, "by hand", complete=True))
    after = seen(database)
    assert await database.transact(lambda tx: rows.begin(tx, after, DUE, "due", "", NOW))


async def test_people_who_ask_at_once_get_one_run(database: Database) -> None:
    def ask(number: int) -> bool:
        with database.engine.begin() as tx:
            return rows.take(tx, 5, "security", f"run {number}", NOW)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(8))).count(True) == 1


async def test_only_what_a_complete_run_has_read_counts_as_read(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    first = seen(database)
    await database.transact(lambda tx: rows.begin(tx, first, DUE, "one", "d1", NOW))
    await database.transact(lambda tx: rows.end(tx, "one", complete=False))
    assert seen(database).record.digest == ""
    second = seen(database)
    later = Begin(ms("2026-01-03 04:00"), 0)
    await database.transact(lambda tx: rows.begin(tx, second, later, "two", "d2", NOW))
    await database.transact(lambda tx: rows.end(tx, "two", complete=True))
    assert seen(database).record.digest == "d2"


async def test_a_due_time_that_is_passed_over_is_told_and_not_repeated(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    before = seen(database)
    passed = PassOver(DUE.due_ms, 2, PassedOver.unchanged)
    assert await database.transact(lambda tx: rows.pass_over(tx, before, passed, NOW))
    assert not await database.transact(lambda tx: rows.pass_over(tx, before, passed, NOW))
    record = seen(database).record
    assert (record.passed_ms, record.passed_why) == (DUE.due_ms, PassedOver.unchanged.value)
    assert record.unchanged == 1


async def test_another_schedule_misses_nothing_of_the_one_before(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    old = seen(database)
    hourly = parsed("0 * * * *", "UTC")
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", hourly, NOW + 60_000))
    changed = seen(database)
    assert changed.record.last_due_ms == NOW + 60_000
    assert changed.look_ms == NOW + HOUR + changed.scatter
    assert not await database.transact(lambda tx: rows.begin(tx, old, DUE, "one", "", NOW))
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", hourly, NOW + 9 * HOUR))
    assert seen(database).record.last_due_ms == NOW + 60_000, "the same schedule goes on"


async def test_stop_and_resume(database: Database) -> None:
    await database.transact(lambda tx: rows.remember(tx, 5, "defects", DAILY, T0))
    before = seen(database)
    assert await database.transact(lambda tx: rows.stop(tx, 5, "defects", "mona"))
    assert not await database.transact(lambda tx: rows.stop(tx, 5, "defects", "hubot"))
    assert await database.read(lambda tx: rows.to_look_at(tx, NOW)) == []
    assert not await database.transact(lambda tx: rows.begin(tx, before, DUE, "one", "", NOW))
    assert seen(database).record.stopped_by == "mona"
    assert await database.transact(lambda tx: rows.resume(tx, 5, "defects", NOW))
    assert not await database.transact(lambda tx: rows.resume(tx, 5, "defects", NOW))
    again = seen(database)
    assert again.record.last_due_ms == NOW, "what was due while it was stopped is not made up for"
    assert again.look_ms == ms("2026-01-03 04:00") + again.scatter


async def test_only_what_is_due_is_looked_at(database: Database) -> None:
    def store(tx: Transaction) -> None:
        rows.remember(tx, 5, "defects", DAILY, T0)
        rows.remember(tx, 6, "defects", parsed("0 4 1 * *", "UTC"), T0)
        rows.remember(tx, 7, "unscheduled", None, T0)

    await database.transact(store)
    found = await database.read(lambda tx: rows.to_look_at(tx, NOW))
    assert [each.repository_id for each in found] == [5]
    await database.transact(lambda tx: rows.forget_others(tx, 5, ["docs"]))
    assert await database.read(lambda tx: rows.to_look_at(tx, NOW)) == []
    assert seen(database).schedule is None
