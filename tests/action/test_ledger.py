"""The month's money of a repository: what each thread's job adds to it, and what that means for its own runs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.money import Entry
from claude_pool_gh.action.state.ref import Ref, Stale
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.store import chains
from claude_pool_gh.rehearsal.github import Moment
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.worktrees.git import Credentials
from tests.action.conftest import WRITE, Stage
from tests.pool.make import caps, plan

ACCOUNT = {"conversation": "1:7", "thread": "1:7", "user": "9", "repository": "1"}
NOW = money.month_start_ms() + 5


def entry(name: str, amount: int = 5, *, created_ms: int = NOW, **more: str) -> Entry:
    given = {"thread": "1:8", "user": "9", "repository": "1"} | more
    return Entry(id=name, amount=amount, created_ms=created_ms, **given)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


def run(
    tx: Transaction, name: str, account: dict[str, str] = ACCOUNT, *, created_ms: int = NOW
) -> None:
    """A run of this thread with 30 microdollars set aside, under a month's cap of 100."""
    limits = caps(chain=30, thread=90, user_day=10**9, repository_month=100, pool=10**9)
    if "user" not in account:
        limits = caps(chain=30, thread=None, user_day=None, repository_month=100)
    assert chains.create(tx, name, plan(), account, limits, created_ms)


def test_a_calendar_month_begins_at_midnight_utc_of_its_first_day() -> None:
    began = datetime.fromtimestamp(money.month_start_ms() / 1000, UTC)
    now = datetime.now(UTC)
    assert (began.day, began.hour, began.minute, began.second, began.microsecond) == (1, 0, 0, 0, 0)
    assert timedelta(0) <= now - began < timedelta(days=31)
    assert began.month in (now.month, (now - timedelta(minutes=1)).month)


def test_a_run_is_told_at_what_it_set_aside_and_then_at_what_it_cost(database: Database) -> None:
    with database.engine.begin() as tx:
        run(tx, "runs")
        run(tx, "over")
        run(tx, "last-month", created_ms=money.month_start_ms() - 1)
        chain = chains.begin(tx, chains.get(tx, "over"), NOW)
        chains.finish(tx, chain, Outcome(verdict=Verdict.answered), NOW)
        assert money.own(tx) == {
            "runs": entry("runs", 30, thread="1:7"),
            "over": entry("over", 0, thread="1:7"),
        }


def test_what_a_schedule_began_is_nobodys_money_and_counts_in_its_thread_for_others(
    database: Database,
) -> None:
    with database.engine.begin() as tx:
        run(tx, "nightly", {"conversation": "1:40", "repository": "1"})
        told = money.own(tx)["nightly"]
    assert (told.user, told.thread) == (money.NOBODY, "1:40")


@pytest.mark.parametrize(
    ("others", "exceeded"),
    [
        ([], ""),
        ([entry("a", 70)], ""),
        ([entry("a", 71)], "repository and month"),
        ([entry("a", 40), entry("b", 31)], "repository and month"),
        ([entry("a", 71, repository="2")], ""),
        # another thread's line counts against no thread's own cap
        ([entry("a", 61, thread="1:7")], ""),
        # it is this store's own, and counted here already
        ([entry("mine", 71)], ""),
        # the pool is this job's own
        ([entry("a", 10**9 - 29, repository="2", user="8")], ""),
    ],
)
def test_a_run_is_over_its_cap_together_with_what_others_set_aside_meanwhile(
    database: Database, others: list[Entry], exceeded: str
) -> None:
    with database.engine.begin() as tx:
        run(tx, "mine")
        money.count_others(tx, {each.id: each for each in others})
        assert money.exceeded(tx) == exceeded


def test_what_is_over_exceeds_nothing_any_more(database: Database) -> None:
    with database.engine.begin() as tx:
        run(tx, "mine")
        money.count_others(tx, {"a": entry("a", 101)})
        assert money.exceeded(tx) == "repository and month"
        chain = chains.begin(tx, chains.get(tx, "mine"), NOW)
        chains.finish(tx, chain, Outcome(verdict=Verdict.answered), NOW)
        assert money.exceeded(tx) == ""


def test_a_later_look_at_the_ledger_takes_the_place_of_the_one_before(database: Database) -> None:
    with database.engine.begin() as tx:
        run(tx, "mine")
        money.count_others(tx, {"a": entry("a", 90)})
        money.count_others(tx, {"a": entry("a", 10)})
        assert money.exceeded(tx) == ""


# ---- in the ref


async def books(scene: Stage, folder: Path, *, token: str = "") -> Ref:
    """The ledger, as one job has it."""
    given = token or scene.github.create_token(
        scene.github.actions_bot, scene.repository, WRITE | {"contents": "write"}
    )
    folder.mkdir()
    url = f"{scene.github.url}/octo/shop.git"
    ref = Ref(folder / "books", Credentials(given, url), money.NAME)
    await ref.open()
    return ref


async def test_two_jobs_that_write_at_once_lose_no_line(scene: Stage, tmp_path: Path) -> None:
    first, second = await books(scene, tmp_path / "1"), await books(scene, tmp_path / "2")
    old = entry("old", created_ms=money.month_start_ms() - 1)
    stale, mine, theirs = entry("mine", 30), entry("mine", 12), entry("theirs", 40)
    await first.write(money.lines({"old": old, "mine": stale}))
    waiting = [second]

    async def win(moment: Moment) -> None:
        if moment.phase == "before" and moment.method == "POST" and waiting:
            await money.publish(waiting.pop(), {"theirs": theirs})

    scene.github.on_request(win)
    assert await money.publish(first, {"mine": mine}) == {"mine": mine, "theirs": theirs}
    assert not waiting
    assert await money.known(second) == {"mine": mine, "theirs": theirs}


async def test_whoever_loses_each_race_is_told_so_in_the_end(
    scene: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    ref = await books(scene, tmp_path / "1")
    lost: list[bytes] = []

    async def lose(content: bytes, _note: bytes = b"") -> None:
        lost.append(content)
        raise Stale

    monkeypatch.setattr(Ref, "write", lambda _ref, content: lose(content))
    with pytest.raises(Stale):
        await money.publish(ref, {"mine": entry("mine")})
    assert len(lost) == 8


async def test_without_a_ledger_or_an_answer_nothing_is_known(scene: Stage, tmp_path: Path) -> None:
    assert await money.known(await books(scene, tmp_path / "1")) == {}
    assert await money.known(await books(scene, tmp_path / "2", token="ghs_wrong")) == {}
