"""Leases come and go without trace, together and whatever happens in them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.storage.owners import own_mark
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import WorktreeError
from tests.worktrees.conftest import FILES
from tests.worktrees.site import Site


def refs(site: Site) -> set[str]:
    command = ["git", f"--git-dir={site.mirror}", "for-each-ref", "--format=%(refname)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


async def test_a_lease_is_the_commit_and_nothing_else(site: Site) -> None:
    async with site.lease() as lease:
        found = {
            str(path.relative_to(lease.folder))
            for path in lease.folder.rglob("*")
            if not path.is_dir()
        }
        assert found == set(FILES)
        assert (lease.folder / "crlf.txt").read_bytes() == FILES["crlf.txt"]
        assert (lease.folder / "data.bin").read_bytes() == FILES["data.bin"]
        assert os.access(lease.folder / "run.sh", os.X_OK)
        assert (lease.folder / "link").is_symlink()
        assert lease.folder.parent.stat().st_mode & 0o077 == 0
        assert await lease.capture() is None
    assert site.leftovers() == []


async def test_an_archive_is_the_commit_whatever_its_attributes_say(site: Site) -> None:
    more = {
        ".gitattributes": "* text eol=crlf\nhidden.txt export-ignore\nsubst.txt export-subst\n",
        "hidden.txt": "here\n",
        "subst.txt": "$Format:%H$\n",
    }
    site.widgets.commit("main", more)
    async with site.lease() as lease:
        commit = lease.began.base
        async with site.worktrees.archive(site.widgets.id, commit) as path:
            assert path.stat().st_mode & 0o077 == 0
            with tarfile.open(path) as tar:
                members = {each.name: each for each in tar.getmembers() if not each.isdir()}
                plain = {
                    name: tar.extractfile(each) for name, each in members.items() if each.isfile()
                }
                texts = {name: file.read() for name, file in plain.items() if file is not None}
        assert set(members) == {*FILES, *more}
        assert members["link"].issym()
        assert members["run.sh"].mode & 0o111
        assert texts["crlf.txt"] == FILES["crlf.txt"]
        assert {name: texts[name].decode() for name in more} == more
    assert site.leftovers() == []
    with pytest.raises(WorktreeError):
        async with site.worktrees.archive(site.widgets.id, "0" * 40):
            pass
    assert site.leftovers() == []


async def test_sixty_four_leases_at_once(site: Site) -> None:
    together = asyncio.Barrier(64)

    async def one(number: int) -> str:
        async with site.worktrees.lease(site.wanted(f"run.{number}")) as lease:
            (lease.folder / "mine.txt").write_text(f"{number}\n")
            await together.wait()
            snapshot = await lease.capture()
            assert snapshot is not None
            return site.at(snapshot.commit)["mine.txt"][1].decode().strip()

    assert await asyncio.gather(*map(one, range(64))) == [str(number) for number in range(64)]
    await site.until_nothing_is_left()
    assert [ref for ref in refs(site) if ref.startswith("refs/pool/snapshots/")] == [], (
        "patches bring them back"
    )


async def test_the_start_removes_the_refs_that_earlier_versions_left(site: Site) -> None:
    async with site.lease() as lease:
        kept = ["update-ref", "refs/pool/snapshots/c1.find.0.1", lease.began.base]
    subprocess.run(["git", f"--git-dir={site.mirror}", *kept], check=True)
    before = refs(site)
    site.worktrees.sweep()
    assert before - refs(site) == {"refs/pool/snapshots/c1.find.0.1"}


@pytest.mark.long
async def test_two_hundred_leases_with_failures_in_between_leave_nothing(site: Site) -> None:
    async with site.lease():
        pass
    before, room = refs(site), asyncio.Semaphore(8)

    async def one(number: int) -> None:
        async with room, site.worktrees.lease(site.wanted(f"run.{number}")) as lease:
            (lease.folder / "junk").mkdir()
            (lease.folder / "junk" / "x").write_text("x")
            (lease.folder / "junk").chmod(0o500)
            if number % 4 == 1:
                raise RuntimeError
            if number % 4 == 2:
                await asyncio.sleep(60)

    running = [asyncio.create_task(one(number)) for number in range(200)]
    for number, task in enumerate(running):
        if number % 4 == 2:  # some before they hold a worktree, some while git makes it, some after
            asyncio.get_running_loop().call_later(number * 0.02, task.cancel)
            asyncio.get_running_loop().call_later(number * 0.02 + 0.005, task.cancel)
    ends = await asyncio.gather(*running, return_exceptions=True)
    assert {type(end) for end in ends} == {type(None), RuntimeError, asyncio.CancelledError}
    await site.until_nothing_is_left()
    assert refs(site) == before
    assert not (site.mirror / "worktrees").exists()
    assert [path for path in site.mirror.rglob("*.lock") if path.exists()] == []


async def test_a_lease_that_cannot_be_made_leaves_nothing(site: Site) -> None:
    with pytest.raises(WorktreeError):
        async with site.lease(commit="1" * 40):
            pytest.fail("there is no such commit")
    assert site.leftovers() == []


@pytest.mark.parametrize(
    "commit",
    [
        "main",
        "HEAD",
        "--upload-pack=x",
        "-x",
        "1" * 39,
        "1" * 41,
        "1" * 40 + "\n",
        "A" * 40,
        "",
        "HEAD~1",
    ],
)
async def test_only_a_full_commit_id_is_one(site: Site, commit: str) -> None:
    spec = site.spec(commit)
    with pytest.raises(WorktreeError, match="not a commit id"):
        async with site.worktrees.lease(site.wanted("run", spec)):
            pytest.fail("it was taken for one")
    assert site.leftovers() == []


async def test_the_start_sweeps_up_after_a_killed_server(site: Site) -> None:
    async with site.lease():
        pass
    (site.worktrees.state / "leases" / "999999999" / "tree").mkdir(parents=True)
    (site.worktrees.state / "leases" / "999999999" / "tree").chmod(0o000)
    host, number = own_mark().split(".")[:2]
    (site.mirror.parent / f"capture-{host}.{number}.1-dead").mkdir()
    (site.mirror / "packed-refs.lock").touch()
    commit = site.widgets.commit("main", {"new.txt": "x"})
    stale = site.mirror / "refs" / "pool" / "commits" / f"{commit}.lock"
    stale.touch()
    with pytest.raises(WorktreeError):
        async with site.lease(commit=commit):
            pytest.fail("the control: a stale lock is in the way")
    site.worktrees.sweep()
    assert site.leftovers() == []
    async with site.lease(commit=commit) as lease:
        assert (lease.folder / "new.txt").exists()


async def test_what_another_process_keeps_at_this_moment_is_not_swept(site: Site) -> None:
    """Another worker on this folder may be keeping an agent's work, which was paid for."""
    keeping = site.mirror.parent / f"capture-{own_mark()}-now"
    elsewhere = site.mirror.parent / "capture-abcdef.1.1-now"
    for each in (keeping, elsewhere):
        each.mkdir(parents=True)
    old, of_today = (site.mirror.parent / f"capture-{name}" for name in ("abcd_efg", "hijk_lmn"))
    for each in (old, of_today):  # as versions before this one named them
        each.mkdir()
    for each in (old, keeping, elsewhere):
        os.utime(each, (time.time() - 100_000,) * 2)
    site.worktrees.sweep()
    assert keeping.is_dir()
    assert elsewhere.is_dir()
    assert (old.exists(), of_today.exists()) == (False, True)


async def test_a_server_with_the_number_of_the_one_that_was_killed_sweeps_up_after_it(
    site: Site,
) -> None:
    """As in a container, where every start is process 1: what tells them apart is when they started."""
    place, host, number = site.worktrees.state / "leases", *own_mark().split(".")[:2]
    for left in (f"{host}.{number}.1", str(os.getpid())):
        (place / left / "old-run" / "tree").mkdir(parents=True)
    async with site.lease() as lease:
        commit = lease.began.base
    async with site.worktrees.archive(site.widgets.id, commit) as file:
        site.worktrees.sweep()
        assert file.exists(), "the control: its own are in use"
        assert [path.name for path in place.iterdir() if path.is_dir()] == [own_mark()]
    assert site.leftovers() == []


@pytest.fixture
def plain_users() -> Iterator[Path]:
    """A folder that another user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_without_rights_is_removed_by_a_plain_user_too(plain_users: Path) -> None:
    """Read-only folders, as caches of modules are: root would not notice."""
    place = plain_users / "place"
    for folder in ("a/b/c", "d"):
        (place / folder).mkdir(parents=True)
        (place / folder / "file").touch()
    (place / "a" / "out").symlink_to(plain_users)
    mode_before = plain_users.stat().st_mode
    for path in [*place.rglob("*"), place, plain_users]:
        os.chown(path, 65534, 65534, follow_symlinks=False)
    for folder, mode in {"a/b/c": 0o500, "a/b": 0o500, "a": 0o500, "d": 0o000}.items():
        (place / folder).chmod(mode)
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            remove(place)
        finally:  # whatever happened, this is no second test run
            os._exit(0)
    os.waitpid(child, 0)
    assert not place.exists()
    assert plain_users.stat().st_mode == mode_before
