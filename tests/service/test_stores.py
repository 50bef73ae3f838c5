"""Where chains of a shell are stored: found by their id, whatever else lies beside them, and tidied up."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import click
import pytest
from filelock import FileLock

from claude_pool_gh.local import usual_state
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.service.existing_database import NoPoolDatabase
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.shell import stores
from claude_pool_gh.service.shell.stores import KEPT_SECONDS, Store
from tests.service.seeded import Seeded, database_in

BROKEN = {
    "an empty file": b"",
    "a database without tables": b"SQLite",
    "rubbish": b"rubbish" * 1_000,
}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


def stored(work: Path, name: str, *, age: float = 0, done: bool = False) -> Path:
    """A store with one chain that was changed so many seconds ago."""
    state = stores.new_state(work)
    state.mkdir(parents=True)
    database = database_in(state)
    with database.engine.begin() as tx:
        chain = Seeded(tx, name).begun()
        if done:
            chain.done(Outcome(verdict=Verdict.answered))
    database.close()
    os.utime(state / "pool.sqlite", (time.time() - age,) * 2)
    return state


def broken(work: Path, content: str) -> Path:
    """A store whose process died before it held anything, or that something has damaged."""
    state = stores.new_state(work)
    state.mkdir(parents=True)
    if BROKEN[content] == b"SQLite":
        with closing(sqlite3.connect(state / "pool.sqlite")) as made:
            made.execute("PRAGMA journal_mode = WAL")
            made.execute("CREATE TABLE other (a)")
    else:
        (state / "pool.sqlite").write_bytes(BROKEN[content])
    return state


async def find(work: Path, chain_id: str) -> Path | None:
    return (await stores.find(stores.known(Settings(), work), chain_id)).state


async def test_a_chain_is_found_among_all_stores_of_its_folder(work: Path) -> None:
    first, second = stored(work, "a", age=9), stored(work, "b")
    assert (await find(work, "a"), await find(work, "b")) == (first, second)
    with pytest.raises(click.ClickException, match="no chain has the id 'c' here"):
        await find(work, "c")
    with pytest.raises(click.ClickException, match="no chain has the id 'a' here"):
        await find(work.parent, "a")


async def test_the_oldest_comes_first_and_the_usual_place_before_all(work: Path) -> None:
    young, old = stored(work, "young", age=1), stored(work, "old", age=99)
    (young.parent / "a file").touch()
    (young.parent / "a folder").mkdir()
    usual = usual_state(work)
    database_in(usual).close()
    known = stores.known(Settings(), work)
    assert [each.state for each in known] == [usual, old, young]
    assert not any(each.named for each in known)


@pytest.mark.parametrize("content", BROKEN)
async def test_a_store_that_cannot_be_read_keeps_nobody_from_the_others(
    work: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(work, content)
    good = stored(work, "a")
    assert await find(work, "a") == good
    with pytest.raises(click.ClickException, match="no chain has the id 'b' here"):
        await find(work, "b")
    told = capsys.readouterr().err
    assert ("cannot be read: file is not a database" in told) is (content == "rubbish")
    assert told == "" or content == "rubbish", "one that begins now is no news"


@pytest.mark.parametrize("content", BROKEN)
async def test_the_one_that_is_named_has_to_be_there(work: Path, content: str) -> None:
    state = broken(work, content)
    (store,) = stores.known(Settings(state_dir=state), work)
    assert (store.state, store.named) == (state, True)
    wanted = click.ClickException if content == "rubbish" else NoPoolDatabase
    with pytest.raises(wanted):
        await stores.find([store], "a")


async def test_an_address_is_a_store_without_a_folder(work: Path) -> None:
    state = stored(work, "a")
    url = f"sqlite:///{state}/pool.sqlite"
    assert stores.known(Settings(database_url=url), work) == [Store(url, None, named=True)]
    assert not Store(url, None).is_busy


def test_a_store_is_busy_while_somebody_holds_its_lock(work: Path) -> None:
    state = stored(work, "a")

    def is_busy() -> bool:
        return Store("sqlite://", state).is_busy

    assert not is_busy()
    with FileLock(state / "pool.sqlite.lock"):
        assert is_busy()
    assert not is_busy()


async def test_only_what_ended_long_ago_is_removed(work: Path) -> None:
    late = KEPT_SECONDS + 9
    ended, open_ = stored(work, "a", age=late, done=True), stored(work, "b", age=late)
    young, busy = stored(work, "c", done=True), stored(work, "d", age=late, done=True)
    never, damaged = broken(work, "an empty file"), broken(work, "rubbish")
    for each in (never, damaged):
        os.utime(each / "pool.sqlite", (0, 0))
    with FileLock(busy / "pool.sqlite.lock"):
        await stores.remove_old(work)
    gone = {each for each in (ended, open_, young, busy, never, damaged) if not each.exists()}
    assert gone == {ended, never}, "what is damaged is for somebody to look at"


@pytest.mark.parametrize("content", ["an empty file", "a database without tables"])
async def test_a_command_that_died_as_it_began_leaves_nothing_to_tidy(
    work: Path, content: str
) -> None:
    state = broken(work, content)
    await stores.tidy(state)
    assert not state.exists()
    await stores.tidy(state)


async def test_of_a_store_with_a_chain_only_checkouts_go(work: Path) -> None:
    state = stored(work, "a")
    for name in ("checkouts-1", "other"):
        (state / "worktrees" / name).mkdir(parents=True)
    await stores.tidy(state)
    assert [each.name for each in (state / "worktrees").iterdir()] == ["other"]


def test_a_place_is_made_for_each_chain_and_known_as_such(work: Path) -> None:
    one, other = stores.new_state(work), stores.new_state(work)
    assert one != other
    assert stores.is_own(one)
    assert not stores.is_own(usual_state(work))
    assert not stores.is_own(one.parent / "mine")
    assert not stores.is_own(work / one.name)


async def test_many_that_tidy_up_at_once_do_not_disturb_each_other(work: Path) -> None:
    states = [stored(work, str(number), age=10**8, done=True) for number in range(3)]
    await asyncio.gather(*(stores.remove_old(work) for _ in range(4)))
    assert not [each for each in states if each.exists()]
