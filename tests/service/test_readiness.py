"""Whether a server is ready: looked at once for many, at most every two seconds, and told to the log once."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from claude_pool_gh.service.monitoring import readiness
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.readiness import (
    LEAST_BYTES,
    SILENT_SECONDS,
    STUCK_SECONDS,
    Readiness,
    Signs,
    faults,
)
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.storage.receipts import receipts

T = TypeVar("T")


class Clock:
    now = 10_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def beats(clock: Clock) -> dict[str, float]:
    return {"the writer of effects": clock.now}


@pytest.fixture
def ready(database: Database, tmp_path: Path, clock: Clock, beats: dict[str, float]) -> Readiness:
    return Readiness(database, tmp_path, GitHubWatch(clock), lambda: beats, clock)


def actions(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(each.levelname, vars(each).get("action", "")) for each in caplog.records]


async def test_a_server_that_can_work_is_ready_without_a_word(
    ready: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert await ready.faults() == ()
    assert actions(caplog) == []


async def test_it_is_told_once_when_it_is_not_ready_and_once_when_it_is_again(
    ready: Readiness, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ready.github.note(401, "/app", None)
    with caplog.at_level(logging.INFO):
        (fault,) = await ready.faults()
        clock.now += 3
        assert await ready.faults() == (fault,)
        clock.now += 6
        ready.github.note(200, "/app", None)
        assert await ready.faults() == ()
        clock.now += 3
        assert await ready.faults() == ()
    assert actions(caplog) == [("ERROR", "not_ready"), ("INFO", "ready_again")]
    bad, good = caplog.records
    assert vars(bad)["do"] == fault
    assert vars(good)["after_seconds"] == 9


async def test_another_reason_beside_the_first_is_no_second_line(
    ready: Readiness, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ready.github.note(401, "/app", None)
    await ready.faults()
    clock.now += STUCK_SECONDS + 1
    assert len(await ready.faults()) == 2
    assert len(caplog.records) == 1
    assert vars(caplog.records[0])["do"].count(";") == 1, "each line has one thing to do"


async def test_what_was_seen_holds_for_two_seconds(ready: Readiness, clock: Clock) -> None:
    assert await ready.faults() == ()
    ready.github.note(401, "/app", None)
    clock.now += 1.9
    assert await ready.faults() == ()
    clock.now += 0.1
    assert len(await ready.faults()) == 1


async def test_asked_by_many_at_once_it_looks_once(
    ready: Readiness, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, transact = [0], database.transact

    async def counted(work: Callable[[Transaction], T]) -> T:
        writes[0] += 1
        return await transact(work)

    monkeypatch.setattr(database, "transact", counted)
    assert await asyncio.gather(*(ready.faults() for _ in range(20))) == [()] * 20
    assert writes == [1]


async def test_a_write_that_hangs_is_told_in_seconds(
    ready: Readiness, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_work: Callable[[Transaction], T]) -> T:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(database, "transact", never)
    monkeypatch.setattr(readiness, "WRITE_SECONDS", 0.02)
    (fault,) = await ready.faults()
    assert fault.startswith("nothing can be stored: a write took more than 0.02 seconds; check the")


async def test_what_a_driver_says_is_not_repeated(
    ready: Readiness, database: Database, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "pool.sqlite")) as other:
        other.execute(f"DROP TABLE {receipts.name}")
    (fault,) = await ready.faults()
    assert fault == "nothing can be stored: OperationalError; check the database and its disk"
    assert database.engine.url.database is not None
    assert database.engine.url.database not in fault


async def test_a_folder_that_is_gone_has_no_room(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    gone = Readiness(database, tmp_path / "gone", GitHubWatch(clock), dict, clock)
    assert await gone.faults() == ("0 MB left on the state folder's disk; free some space",)


async def test_a_loop_that_has_stopped_is_named_with_its_time(
    ready: Readiness, clock: Clock
) -> None:
    clock.now += STUCK_SECONDS
    assert await ready.faults() == ()
    clock.now += 2
    (fault,) = await ready.faults()
    assert fault.startswith("the writer of effects has stopped for 122 seconds; read the log")


async def test_github_may_be_away_for_a_minute(ready: Readiness, clock: Clock) -> None:
    ready.github.note(503, "/repos/octo/shop", None)
    clock.now += SILENT_SECONDS
    assert await ready.faults() == ()
    clock.now += 2
    (fault,) = await ready.faults()
    assert "GitHub does not answer" in fault


async def test_it_looks_again_and_again_for_the_log_s_sake(
    ready: Readiness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    async def slept(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 3:
            raise asyncio.CancelledError
        clock.now += seconds

    monkeypatch.setattr(asyncio, "sleep", slept)
    with pytest.raises(asyncio.CancelledError):
        await ready.look_for_ever()
    assert looked == [15.0] * 3
    assert ready._looked == clock.now


@pytest.mark.parametrize(
    ("sign", "ready"),
    [
        ({"free_bytes": LEAST_BYTES}, True),
        ({"free_bytes": LEAST_BYTES - 1}, False),
        ({"silent": {"a": STUCK_SECONDS}}, True),
        ({"silent": {"a": STUCK_SECONDS + 0.1}}, False),
        ({"silent": {}}, True),
    ],
)
def test_each_bound_is_where_it_is_said_to_be(sign: dict[str, Any], ready: bool) -> None:
    well: dict[str, Any] = {
        "storing": "",
        "free_bytes": LEAST_BYTES,
        "github_away": False,
        "key_refused": False,
        "silent": {},
    }
    assert (faults(Signs(**well | sign)) == ()) is ready


@pytest.mark.parametrize(
    ("skew", "said"), [(60.0, "doctor"), (61.0, "61 seconds away from GitHub's"), (-1.0, "doctor")]
)
def test_a_key_that_is_refused_for_the_clock_is_said_to_be(skew: float, said: str) -> None:
    signs = Signs(
        storing="",
        free_bytes=LEAST_BYTES,
        github_away=False,
        key_refused=True,
        silent={},
        clock_skew=skew,
    )
    (fault,) = faults(signs)
    assert said in fault
    assert faults(replace(signs, key_refused=False)) == ()


def test_all_reasons_are_told_at_once_and_a_refused_key_hides_that_github_is_away() -> None:
    found = faults(Signs("Error", 0, github_away=True, key_refused=True, silent={"a": 1e3, "b": 1}))
    assert [each.split()[0] for each in found] == ["nothing", "0", "GitHub", "a"]
    assert "key" in found[2]
