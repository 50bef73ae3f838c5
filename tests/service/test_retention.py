"""What is deleted, after how long and in which order; and that a round which fails costs the next one nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.github import inbox
from claude_pool_gh.github import tables as github
from claude_pool_gh.pool.store import chains
from claude_pool_gh.service.server.retention import Deleted, Retention, kinds_of
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees.leases import Worktrees
from tests.pool.make import DAY, NOW
from tests.service.seeded import Seeded, database_in


@dataclass
class Clock:
    now: int = NOW
    seconds: float = field(default=0.0)

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = database_in(tmp_path)
    yield opened
    opened.close()


def retention(database: Database, folder: Path, clock: Any = None, **keep: Any) -> Retention:
    async def nobody(_repository: int, _fresh: bool) -> Any:
        raise AssertionError

    return Retention(
        settings=Settings(state_dir=folder, **keep),
        database=database,
        clock=clock or Clock(),
        worktrees=Worktrees(folder, nobody),
        pause_secs=0,
    )


def deliver(database: Database, name: str, received_ms: int) -> None:
    row = {"guid": name, "event": "issue_comment", "received_ms": received_ms}
    with database.engine.begin() as tx:
        tx.execute(github.deliveries.insert(), row)


def test_chains_go_before_what_only_they_refer_to() -> None:
    names = [each.name for each in kinds_of(Settings(), NOW)]
    assert names.index("chains") < names.index("plans") < names.index("commands")
    assert set(names) == {
        "transcripts",
        "trimmed",
        "texts",
        "patches",
        "chains",
        "plans",
        "deliveries",
        "commands",
        "effects",
    }


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        ("keep_transcripts_days", ["transcripts", "trimmed", "texts"]),
        ("keep_patches_days", ["patches"]),
        ("keep_chains_days", ["chains", "chains", "commands"]),
        ("keep_deliveries_days", ["deliveries", "commands"]),
        ("keep_effects_days", ["effects"]),
    ],
)
def test_what_is_kept_for_ever_is_no_kind_and_the_others_still_are(
    kept: str, gone: list[str]
) -> None:
    usual = Counter(each.name for each in kinds_of(Settings(), NOW))
    found = Counter(each.name for each in kinds_of(Settings(**{kept: None}), NOW))
    assert usual - found == Counter(gone)


async def test_a_day_is_a_day(database: Database, tmp_path: Path) -> None:
    keeper = retention(database, tmp_path, keep_deliveries_days=7)
    deliver(database, "old", NOW - 7 * DAY - 1)
    deliver(database, "young", NOW - 7 * DAY + 1)
    assert await keeper.prune() == Deleted(deliveries=1)
    with database.engine.connect() as tx:
        assert [row.guid for row in tx.execute(github.deliveries.select())] == ["young"]


@pytest.mark.parametrize(("skew", "left"), [(3_600.0, []), (3_601.0, ["old"])])
async def test_nothing_is_deleted_while_the_clock_is_not_githubs(
    database: Database,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    skew: float,
    left: list[str],
) -> None:
    deliver(database, "old", NOW - 31 * DAY)
    pruning = replace(retention(database, tmp_path), clock_skew=lambda: skew)
    await pruning.prune()
    with database.engine.begin() as tx:
        assert list(tx.execute(sa.select(github.deliveries.c.guid)).scalars()) == left
    told = [vars(each)["do"] for each in caplog.records if each.levelname == "ERROR"]
    assert told == (["set this machine's clock, and let it be kept by NTP"] if left else [])


@pytest.mark.parametrize(
    ("before", "told", "left"),
    [
        (None, None, ["old"]),
        (None, 0.0, []),
        (None, 31 * 86_400.0, ["old"]),
        (31 * 86_400.0, 0.0, []),
    ],
)
async def test_nothing_is_deleted_before_github_has_told_what_time_it_is(
    database: Database, tmp_path: Path, before: float | None, told: float | None, left: list[str]
) -> None:
    """A machine whose clock is wrong when it starts has no answer yet: a round asks for one."""
    deliver(database, "old", NOW - 31 * DAY)
    known = [before]

    async def ask() -> None:
        known[0] = told

    pruning = replace(retention(database, tmp_path), clock_skew=lambda: known[0], ask_the_time=ask)
    await pruning.prune()
    with database.engine.begin() as tx:
        assert list(tx.execute(sa.select(github.deliveries.c.guid)).scalars()) == left


async def test_only_what_was_deleted_is_a_line(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    keeper = retention(database, tmp_path)
    deliver(database, "old", 1)
    await keeper.prune()
    (line,) = caplog.records
    assert (line.getMessage(), vars(line)["action"]) == ("old records deleted", "pruned")
    assert vars(line)["deliveries"] == 1
    assert "chains" not in vars(line)
    await keeper.prune()
    assert len(caplog.records) == 1


def mirror(folder: Path, repository: int) -> Path:
    made = folder / "mirrors" / f"{repository}.git"
    made.mkdir(parents=True)
    (made / "HEAD").write_text("ref: refs/heads/main\n")
    return made


async def test_the_files_of_a_repository_go_once_the_app_and_its_last_open_chain_are_gone(
    database: Database, tmp_path: Path
) -> None:
    keeper = retention(database, tmp_path)
    with database.engine.begin() as tx:
        for number in (1, 2):
            inbox.remember_repository(
                tx, Repository(id=number, owner="octo", name=f"r{number}", installation_id=1)
            )
        tx.execute(
            github.repositories.update()
            .values(state="removed")
            .where(github.repositories.c.id == 1)
        )
        Seeded(tx).queued()
    gone, stays = mirror(tmp_path, 1), mirror(tmp_path, 2)
    assert (await keeper.prune()).repositories == 0, "a chain of it still waits"
    with database.engine.begin() as tx:
        chains.request_cancel(tx, "c0ffee0000", NOW)
    assert (await keeper.prune()).repositories == 1
    assert (gone.exists(), stays.exists()) == (False, True)


async def test_commits_are_pruned_in_seconds_unless_they_are_kept_for_ever(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    async def prune(_self: Worktrees, older: float) -> int:
        asked.append(older)
        return 4

    monkeypatch.setattr(Worktrees, "prune", prune)
    assert (await retention(database, tmp_path, keep_commits_days=8).prune()).commits == 4
    assert (await retention(database, tmp_path, keep_commits_days=None).prune()).commits == 0
    assert asked == [8 * 86_400]


async def test_a_round_that_fails_is_told_and_the_next_one_comes_in_an_hour(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    deliver(database, "old", 1)
    waits: list[float] = []
    breaks: list[Callable[[], None]] = [lambda: _raise(OSError("full"))]

    async def slept(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            raise asyncio.CancelledError

    def now_ms() -> int:
        if breaks:
            breaks.pop()()
        return NOW

    clock = Clock()
    monkeypatch.setattr(clock, "now_ms", now_ms)
    keeper = retention(database, tmp_path, clock)
    monkeypatch.setattr(asyncio, "sleep", slept)
    with pytest.raises(asyncio.CancelledError):
        await keeper.prune_for_ever()
    assert [each for each in waits if each] == [60.0, 3_600.0, 3_600.0]
    (line,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert vars(line)["action"] == "prune_failed"
    with database.engine.connect() as tx:
        assert tx.execute(github.deliveries.select()).first() is None


def _raise(error: Exception) -> None:
    raise error
