"""A copy of a database: whole, its owner's alone, never over something else, and put in place without a gap."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from claude_pool_gh.storage import Database, backup, migrations, owners
from claude_pool_gh.storage.backup import NoBackup


@pytest.fixture
def database(tmp_path: Path) -> Path:
    opened = Database.open(f"sqlite:///{tmp_path}/state/pool.sqlite")
    migrations.upgrade(opened.engine)
    opened.close()
    return tmp_path / "state" / "pool.sqlite"


def write(file: Path, value: int) -> None:
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("CREATE TABLE IF NOT EXISTS numbers (n INTEGER)")
        opened.execute("INSERT INTO numbers VALUES (?)", (value,))


def numbers(file: Path) -> list[int]:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as opened:
        return [n for (n,) in opened.execute("SELECT n FROM numbers ORDER BY n")]


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


# ---- made


def test_a_copy_has_all_that_was_committed_and_no_more(database: Path, tmp_path: Path) -> None:
    write(database, 1)
    target = tmp_path / "copy"
    with closing(sqlite3.connect(database)) as writing:
        writing.execute("INSERT INTO numbers VALUES (2)")  # not committed
        size = backup.copy(database, target)
        writing.rollback()
    assert numbers(target) == [1]
    assert size == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert backup.check(target) == migrations.newest()
    assert names(tmp_path) == {"state", "copy"}


def test_nothing_is_copied_over_something_else_or_from_nothing(
    database: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copy"
    target.write_text("mine")
    with pytest.raises(FileExistsError):
        backup.copy(database, target)
    assert target.read_text() == "mine"
    with pytest.raises(FileNotFoundError):
        backup.copy(tmp_path / "none.sqlite", tmp_path / "other")
    assert names(tmp_path) == {"state", "copy"}


def test_a_copy_that_another_process_finishes_first_is_left_as_it_is(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, sync = tmp_path / "copy", backup._sync

    def meanwhile(path: Path) -> None:
        target.write_text("theirs")
        sync(path)

    monkeypatch.setattr(backup, "_sync", meanwhile)
    with pytest.raises(FileExistsError):
        backup.copy(database, target)
    assert target.read_text() == "theirs"
    assert names(tmp_path) == {"state", "copy"}


def test_what_is_no_database_of_a_pool_is_not_copied(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "other"
    text.write_text("no database at all, " * 100)
    with pytest.raises(NoBackup, match=f"{text} cannot be copied: file is not a database"):
        backup.copy(text, tmp_path / "copy")
    write(other, 1)
    with pytest.raises(NoBackup, match="no copy of a pool's database: no such table"):
        backup.copy(other, tmp_path / "copy")
    assert names(tmp_path) == {"text", "other"}


def test_a_copy_is_looked_at_without_a_trace(database: Path, tmp_path: Path) -> None:
    target = tmp_path / "folder" / "copy"
    target.parent.mkdir()
    backup.copy(database, target)
    before = target.read_bytes()
    assert backup.check(target) == migrations.newest()
    assert (target.read_bytes(), names(target.parent)) == (before, {"copy"})
    with closing(sqlite3.connect(target)) as opened, opened:
        opened.execute("DELETE FROM alembic_version")
    with pytest.raises(NoBackup, match="no copy of a pool's database"):
        backup.check(target)
    with pytest.raises(NoBackup, match="unable to open"):
        backup.check(tmp_path / "none")


def test_where_there_are_no_links_a_copy_gets_its_name_all_the_same(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError("this file system has none")

    monkeypatch.setattr(os, "link", no_link)
    target = tmp_path / "copy"
    backup.copy(database, target)
    assert backup.check(target) == migrations.newest()
    assert names(tmp_path) == {"state", "copy"}


# ---- put in place


def replace(database: Path, file: Path, aside: Path, value: int = 3) -> None:
    with backup.replacing(database, file, aside) as changed:
        write(changed, value)


def test_a_changed_copy_takes_its_place_and_the_old_one_is_kept(
    database: Path, tmp_path: Path
) -> None:
    write(database, 1)
    target, aside = tmp_path / "copy", tmp_path / "state" / "old"
    backup.copy(database, target)
    write(database, 2)
    replace(database, target, aside)
    assert (numbers(database), numbers(aside), numbers(target)) == ([1, 3], [1, 2], [1])
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert names(database.parent) <= {"pool.sqlite", "old", "old-wal", "old-shm"}


def test_a_database_is_put_where_there_was_none(database: Path, tmp_path: Path) -> None:
    new = tmp_path / "new" / "pool.sqlite"
    new.parent.mkdir()
    write(database, 1)
    replace(new, database, tmp_path / "new" / "old")
    assert names(new.parent) == {"pool.sqlite"}
    assert numbers(new) == [1, 3]


def test_what_fails_half_way_leaves_the_old_one(database: Path, tmp_path: Path) -> None:
    write(database, 1)
    target, aside = tmp_path / "copy", tmp_path / "state" / "old"
    backup.copy(database, target)
    before = names(database.parent)
    with pytest.raises(KeyError), backup.replacing(database, target, aside):
        raise KeyError
    assert (numbers(database), names(database.parent)) == ([1], before)
    aside.write_text("mine")
    with pytest.raises(FileExistsError):
        replace(database, target, aside)
    assert aside.read_text() == "mine"
    assert numbers(database) == [1]


def test_a_damaged_database_is_kept_as_it_is(database: Path, tmp_path: Path) -> None:
    target, aside = tmp_path / "copy", tmp_path / "state" / "old"
    backup.copy(database, target)
    database.write_bytes(b"damaged")
    replace(database, target, aside)
    assert aside.read_bytes() == b"damaged"
    assert numbers(database) == [3]


def test_what_was_changed_is_all_in_one_file(database: Path, tmp_path: Path) -> None:
    """Also where whoever changed it has left its log beside it, as a process does that is killed."""
    target, new = tmp_path / "copy", tmp_path / "new.sqlite"
    backup.copy(database, target)
    with backup.replacing(new, target, tmp_path / "old") as changed:
        with closing(sqlite3.connect(changed)) as opened:
            opened.execute("PRAGMA journal_mode=WAL")
            opened.execute("CREATE TABLE numbers (n INTEGER)")
            opened.execute("INSERT INTO numbers VALUES (7)")
            opened.commit()
            files = [changed, Path(f"{changed}-wal")]
            left = [each.read_bytes() for each in files]
        for file, content in zip(files, left, strict=True):
            file.write_bytes(content)
    assert names(tmp_path) == {"state", "copy", "new.sqlite"}
    assert numbers(new) == [7]


def test_a_copy_is_on_the_disk_before_it_has_its_name_and_its_name_before_anybody_is_told(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    link, rename = os.link, Path.rename

    def name(path: Path) -> None:
        if not path.name.endswith(("-wal", "-shm", "-journal")):
            said.append(f"name {path.name}")

    def fsync(file: int) -> None:
        said.append(f"sync {'folder' if stat.S_ISDIR(os.fstat(file).st_mode) else 'file'}")

    def linked(old: str | Path, new: str | Path) -> None:
        name(Path(new))
        link(old, new)

    def renamed(old: Path, new: Path) -> Path:
        name(Path(new))
        return rename(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", linked)
    monkeypatch.setattr(Path, "rename", renamed)
    target = tmp_path / "copy"
    backup.copy(database, target)
    assert said == ["sync file", "name copy", "sync folder"]
    said.clear()
    replace(database, target, tmp_path / "state" / "old")
    assert said == ["sync file", "name old", "name pool.sqlite", "sync folder"]


def test_where_there_are_no_links_the_old_one_is_kept_all_the_same(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise PermissionError("this file system has none")

    monkeypatch.setattr(os, "link", no_link)
    write(database, 1)
    target, aside = tmp_path / "copy", tmp_path / "state" / "old"
    backup.copy(database, target)
    replace(database, target, aside)
    assert (numbers(database), numbers(aside)) == ([1, 3], [1])


def test_a_copy_whose_pages_do_not_fit_together_is_damaged(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute("CREATE TABLE numbers (n INTEGER)")
        opened.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(2_000)])
        opened.execute("CREATE INDEX by_number ON numbers (n)")
    target = tmp_path / "copy"
    backup.copy(database, target)
    with closing(sqlite3.connect(target)) as opened, opened:
        (root,) = opened.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'by_number'"
        ).fetchone()
        (size,) = opened.execute("PRAGMA page_size").fetchone()
    content = bytearray(target.read_bytes())
    content[(root - 1) * size : root * size] = content[size : 2 * size]
    target.write_bytes(content)
    with pytest.raises(NoBackup, match=f"{target} is damaged: "):
        backup.check(target)


# ---- left behind


def test_what_a_dead_process_did_not_finish_is_removed_when_it_is_old(
    database: Path, tmp_path: Path
) -> None:
    host, *_ = owners.own_mark().split(".")
    dead, living = f"{host}.4194999.s000000", owners.own_mark()
    old = time.time() - 3_700
    left = {
        f".claude-pool-{dead}-1": True,
        f".claude-pool-{dead}-1-wal": True,
        f".claude-pool-{living}-1": False,
        ".claude-pool-elsewhere.1.s000000-1": False,
        "claude-pool-mine": False,
    }
    for name in left:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (old, old))
    (tmp_path / f".claude-pool-{dead}-2").touch()  # just now: its process may be in a container
    backup.copy(database, tmp_path / "copy")
    kept = {name for name, goes in left.items() if not goes}
    (tmp_path / "state" / f".claude-pool-{dead}-3").touch()
    os.utime(tmp_path / "state" / f".claude-pool-{dead}-3", (old, old))
    replace(database, tmp_path / "copy", tmp_path / "state" / "old")
    assert not [each for each in names(tmp_path / "state") if each.startswith(".")]
    assert names(tmp_path) == kept | {f".claude-pool-{dead}-2", "state", "copy"}
