"""What ended long ago is deleted, what it cost still counts, and the server goes on as if nothing were missing."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.service.server.retention import Deleted, Retention
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.worktrees.leases import Worktrees
from tests.acceptance.world import World

DAY_MS = 86_400_000


class Later:
    """The clock, some days ahead."""

    def __init__(self, days: float) -> None:
        self._more = int(days * DAY_MS)

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self._more


async def _nobody(_repository: int, _fresh: bool) -> Any:
    raise AssertionError("nothing is fetched")


async def pruned(w: World, days: float, **settings: Any) -> Deleted:
    """One round on the state of a server that is stopped, as if so many days had gone by."""
    database = Database.open(f"sqlite:///{w.bot.state}/pool.sqlite")
    told = Settings(state_dir=w.bot.state, **settings)
    clock = Later(days)
    try:
        return await Retention(
            settings=told,
            database=database,
            clock=clock,
            worktrees=Worktrees(w.bot.state, _nobody),
            pause_secs=0.0,
        ).prune()
    finally:
        database.close()


def counts(w: World) -> dict[str, int]:
    every = ("chains", "tasks", "patches", "deliveries", "commands", "effects", "findings")
    return {name: int(w.rows(f"SELECT count(*) FROM {name}")[0][0]) for name in every}  # noqa: S608


def _answered(w: World, number: int) -> bool:
    return len([answer for _, answer in w.answers() if answer != "None"]) == number


async def test_each_thing_goes_in_its_time_and_a_review_afterwards_is_as_always(
    found: World,
) -> None:
    w = found
    await w.say("/pool help")
    await w.say("/pool review")
    await w.reviewed()
    await w.written()
    await w.bot.stop()
    ledger, before = w.ledger, counts(w)
    texts = "SELECT count(*) FROM tasks WHERE transcript IS NOT NULL OR prompt IS NOT NULL"
    assert w.rows(texts)[0][0] > 0

    assert await pruned(w, 6) == Deleted()
    assert counts(w) == before

    first = await pruned(w, 31)
    assert first.transcripts == before["tasks"]
    assert first.deliveries == before["deliveries"]
    assert first.commands == 1, "that started nothing"
    assert (first.chains, first.effects, first.patches) == (0, 0, 0)
    assert (first.trimmed, first.texts) == (before["chains"], before["effects"])
    assert w.rows(texts) == [(0,)]
    assert w.ledger == ledger

    refs = list((w.bot.state / "mirrors").glob("*.git/refs/pool/commits/*"))
    assert refs
    for each in refs:
        os.utime(each, (1, 1))
    second = await pruned(w, 366)
    assert second.commits == len(refs)
    assert second.chains == before["chains"]
    assert second.effects == before["effects"]
    assert second.commands == 1
    after = counts(w)
    assert (after["tasks"], after["commands"], after["effects"]) == (0, 0, 0)
    assert after["findings"] == before["findings"], "a finding is known as long as its thread"
    assert w.ledger == ledger, "what was spent counts"
    account = w.rows("SELECT kind, key FROM chain_scopes ORDER BY kind")
    assert [kind for kind, _ in account] == ["conversation", "repository", "thread", "user"]
    assert await pruned(w, 366) == Deleted()

    await w.begin()
    for number, line in enumerate(("/pool status", "/pool cost"), 1):
        await w.say(line)
        await w.until(partial(_answered, w, number))
    # GitHub still lists the old deliveries here, which no retention is short enough for, and they are heard once more.
    assert [b for _, b in w.answers() if b != "None"] == ["answered", "answered"]
    await w.say("/pool review")
    await w.until(lambda: ("/pool review", "started") in w.answers())
    await w.github.until(
        lambda: w.rows("SELECT count(*) FROM tasks WHERE state = 'completed'") != [(0,)]
    )
    await w.until(lambda: any("action=chain_ended" in line for line in w.bot.log))


async def test_a_finding_of_a_trimmed_review_is_dismissed_and_its_report_tells_the_same(
    found: World,
) -> None:
    w = found
    w.repository.commit("develop", {"other.py": "x = 1\n"}, author=w.maintainer)
    await w.say("/pool review")
    await w.reviewed()
    await w.written()
    await w.bot.stop()
    told = w.tracking
    trimmed = await pruned(w, 31)
    assert (trimmed.trimmed, trimmed.texts) == (1, counts(w)["effects"])
    assert await pruned(w, 31) == Deleted()
    await w.begin()
    finding = w.rows("SELECT fingerprint FROM findings")[0][0]
    await w.say(f"/pool dismiss {finding} meant")
    await w.until(lambda: w.rows("SELECT state FROM findings") == [("dismissed",)])
    w.repository.retarget(w.pull, "develop", w.maintainer)
    await w.until(lambda: "It goes into `develop` now" in w.tracking)
    folds = ("Steps", "Bill", "What the agents looked at")
    for fold in folds:
        assert _fold(w.tracking, fold) == _fold(told, fold) != "", fold


def _fold(body: str, name: str) -> str:
    return body.partition(f"<summary>{name}</summary>")[2].partition("</details>")[0]


async def test_nothing_is_deleted_where_the_settings_say_none_and_never_what_has_not_ended(
    found: World,
) -> None:
    w = found
    await w.say("/pool review")
    await w.reviewed()
    await w.written()
    await w.bot.stop()
    kept = {
        f"keep_{name}_days": None
        for name in ("transcripts", "patches", "deliveries", "chains", "effects", "commits")
    }
    before = counts(w)
    assert await pruned(w, 10_000, **kept) == Deleted()
    assert counts(w) == before
    database = Database.open(f"sqlite:///{w.bot.state}/pool.sqlite")
    try:
        await database.transact(
            lambda tx: tx.exec_driver_sql(
                "UPDATE chains SET state = 'parked', parked_for = 'approval'"
            ).close()
        )
    finally:
        database.close()
    deleted = await pruned(w, 10_000)
    assert (deleted.chains, deleted.transcripts, deleted.patches) == (0, 0, 0)


async def test_the_files_of_a_repository_go_with_the_app(found: World) -> None:
    w = found
    await w.say("/pool review")
    await w.reviewed()
    await w.written()
    await w.bot.stop()
    mirror = w.bot.state / "mirrors" / f"{w.repository.id}.git"
    checkouts = w.bot.state / "checkouts" / str(w.repository.id)
    assert mirror.is_dir()
    assert checkouts.is_dir()
    assert (await pruned(w, 0)).repositories == 0
    database = Database.open(f"sqlite:///{w.bot.state}/pool.sqlite")
    try:
        await database.transact(
            lambda tx: tx.exec_driver_sql("UPDATE repositories SET state = 'removed'").close()
        )
    finally:
        database.close()
    assert (await pruned(w, 0)).repositories == 1
    assert not mirror.exists()
    assert not checkouts.exists()


@pytest.mark.parametrize("days", ["0", "6.9", "-1", "nan"])
@pytest.mark.rotating(1)
def test_too_short_a_time_is_refused(days: str) -> None:
    with pytest.raises(ValueError, match=r"greater than or equal to 7|finite"):
        Settings(keep_chains_days=days)


def test_a_mirror_keeps_young_refs(tmp_path: Path) -> None:
    from claude_pool_gh.worktrees.pruning import _older  # noqa: PLC0415

    kept = tmp_path / "refs" / "pool" / "commits"
    kept.mkdir(parents=True)
    (kept / "old").touch()
    (kept / "young").touch()
    os.utime(kept / "old", (1, 1))
    assert _older(tmp_path, time.time() - 60) == ["refs/pool/commits/old"]
