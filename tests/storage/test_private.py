"""Folders and files of private source are their owner's alone, whatever the umask is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.storage import Database, private


@pytest.fixture(autouse=True, params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_folder_is_made_with_its_parents_for_the_owner_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = private.private_folder(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert [mode(each) for each in (tmp_path, tmp_path / "a", made)] == [0o755, 0o700, 0o700]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    (tmp_path / "kept").touch()
    assert private.private_folder(tmp_path) == tmp_path
    assert mode(tmp_path) == 0o750
    assert (tmp_path / "kept").exists()


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match="a"):
        private.private_folder(tmp_path / "a" / "b")


def test_a_file_is_made_for_the_owner_alone_and_one_that_is_there_is_closed(
    tmp_path: Path,
) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    private.private_file(new)
    assert (mode(new), new.read_bytes()) == (0o600, b"")
    old.write_bytes(b"kept")
    old.chmod(0o664)
    private.private_file(old)
    assert (mode(old), old.read_bytes()) == (0o600, b"kept")


@pytest.mark.parametrize(
    ("before", "after"), [(0o755, 0o700), (0o666, 0o600), (0o640, 0o600), (0o500, 0o500)]
)
def test_only_the_rights_of_others_are_taken(tmp_path: Path, before: int, after: int) -> None:
    path = tmp_path / "x"
    path.touch()
    path.chmod(before)
    private.close_to_others(path)
    assert mode(path) == after


def test_what_a_link_leads_to_is_not_changed(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.touch()
    target.chmod(0o666)
    link.symlink_to(target)
    private.close_to_others(link)
    assert mode(target) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_theirs_and_told_by_name(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    assert private.other_owner(theirs) is None
    os.chown(theirs, 65_534, -1)
    private.close_to_others(theirs)
    assert mode(theirs) == 0o755
    assert private.other_owner(theirs) == "nobody"
    os.chown(theirs, 54_321, -1)
    assert private.other_owner(theirs) == "#54321"


@pytest.mark.parametrize(
    ("given", "is_open"), [(0o700, False), (0o710, True), (0o701, True), (0o740, True)]
)
def test_a_folder_is_open_where_anybody_else_may_do_anything(
    tmp_path: Path, given: int, *, is_open: bool
) -> None:
    tmp_path.chmod(given)
    assert private.open_to_others(tmp_path) == is_open
    tmp_path.chmod(0o700)


def test_a_database_is_made_closed_with_all_that_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/state/x.sqlite")
    with database.engine.begin() as tx:
        tx.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        found = {each.name: mode(each) for each in (tmp_path / "state").iterdir()}
    database.close()
    assert mode(tmp_path / "state") == 0o700
    assert {"x.sqlite", "x.sqlite-wal"} <= found.keys()
    assert set(found.values()) == {0o600}
