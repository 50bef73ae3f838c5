"""What `backup` and `restore` say where they cannot do it, and that nothing was touched then."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from claude_pool_gh.storage import migrations
from tests.service.test_backup import command, made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    made(folder)
    return folder


def here(state: Path, *arguments: str) -> tuple[int, str]:
    return command(*arguments, "--state-dir", str(state))


def test_a_copy_says_how_large_it_is_and_is_its_owner_s_alone(state: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    code, said = here(state, "backup", str(copy))
    assert (code, said) == (0, f"{copy}: {copy.stat().st_size / 2**20:.1f} MB\n")
    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_there_is_never_overwritten(state: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    if kind == "file":
        target.write_text("mine")
    else:
        target.symlink_to(tmp_path / "elsewhere")
    code, said = here(state, "backup", str(target))
    assert code == 1
    assert f"{target} exists: give the name of a new file" in said
    assert not (tmp_path / "elsewhere").exists()
    assert kind != "file" or target.read_text() == "mine"


def test_a_folder_that_is_missing_is_not_taken_for_a_missing_database(
    state: Path, tmp_path: Path
) -> None:
    code, said = here(state, "backup", str(tmp_path / "no" / "copy"))
    assert code == 1
    assert f"there is no folder {tmp_path / 'no'}" in said
    assert "no database" not in said


def test_without_a_database_there_is_nothing_to_copy(tmp_path: Path) -> None:
    code, said = here(tmp_path / "nowhere", "backup", str(tmp_path / "copy"))
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert f"there is no database at {tmp_path}/nowhere/pool.sqlite" in said


def test_a_database_that_is_no_file_names_its_own_tools(tmp_path: Path) -> None:
    url = ("--database-url", "postgresql://bot:canary@127.0.0.1:9/pool")
    code, said = command("backup", str(tmp_path / "copy"), *url)
    assert code == 1
    assert f"pg_dump --format=custom --file={tmp_path}/copy" in said
    (tmp_path / "copy").write_text("a dump")
    code, again = command("restore", str(tmp_path / "copy"), *url)
    assert code == 1
    assert f"pg_restore --clean {tmp_path}/copy ..., then claude-pool-gh restore --done" in again
    assert "canary" not in said + again


def damage(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4_096)
        opened.write(b"x" * 4 * 4_096)


def text(file: Path) -> None:
    file.write_text("no database\n" * 100)


def newer(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as opened:
        opened.execute("UPDATE alembic_version SET version_num = '9999'")
        opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def somebody_elses(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("CREATE TABLE mine (a)")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage, "nothing was restored: "),
        (text, "is no copy of a pool's database"),
        (somebody_elses, "is no copy of a pool's database"),
        (newer, "was made by a newer version (schema 9999): install that one"),
    ],
)
def test_what_is_no_copy_takes_nobody_s_place(
    state: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    copy, before = tmp_path / "copy", (state / "pool.sqlite").read_bytes()
    assert here(state, "backup", str(copy))[0] == 0
    spoil(copy)
    code, told = here(state, "restore", "--replace", str(copy))
    assert code == 1
    assert said in told
    assert (state / "pool.sqlite").read_bytes() == before
    assert not list(state.glob("pool.sqlite.2*"))


def test_a_database_that_is_there_is_replaced_only_where_that_is_asked_for(
    state: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    assert here(state, "backup", str(copy))[0] == 0
    code, said = here(state, "restore", str(copy))
    assert code == 1
    assert f"with --replace it is moved aside, and {copy} takes its place" in said
    assert here(tmp_path / "new", "restore", str(copy))[0] == 0
    with closing(sqlite3.connect(tmp_path / "new" / "pool.sqlite")) as opened:
        (found,) = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found == migrations.newest()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_the_database_can_take_its_own_place(state: Path) -> None:
    file = state / "pool.sqlite"
    assert here(state, "restore", "--replace", str(file))[0] == 0
    assert file.is_file()
    assert len(list(state.glob("pool.sqlite.2*"))) == 1


@pytest.mark.parametrize("arguments", [(), ("--done", "FILE")])
def test_either_a_file_is_named_or_it_is_done(state: Path, arguments: tuple[str, ...]) -> None:
    named = [str(state / "pool.sqlite") if each == "FILE" else each for each in arguments]
    code, said = here(state, "restore", *named)
    assert code == 2
    assert "give FILE, or --done" in said


def test_nothing_is_noted_where_there_is_no_database(tmp_path: Path) -> None:
    code, said = here(tmp_path / "nowhere", "restore", "--done")
    assert code == 1
    assert "there is no database at" in said
    assert list(tmp_path.iterdir()) == []
