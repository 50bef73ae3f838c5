"""What an agent did is captured whole, as a commit and as a patch that applies."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.history import diff, list_paths, read_files
from claude_pool_gh.worktrees.snapshot import restore
from tests.worktrees.site import Site


def apply(site: Site, patch: bytes, base: str) -> Path:
    """A fresh checkout of the base with the patch applied by plain git."""
    place = site.tmp / "applied"
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    subprocess.run(["git", "init", "--quiet", str(place)], check=True, env=plain)
    (place / ".git" / "objects" / "info" / "alternates").write_text(f"{site.mirror}/objects\n")
    (place / ".git" / "info" / "attributes").write_text("* -text !working-tree-encoding\n")
    subprocess.run(["git", "-C", str(place), "checkout", "--quiet", base], check=True, env=plain)
    subprocess.run(
        ["git", "-C", str(place), "apply", "--index", "-"], input=patch, check=True, env=plain
    )
    return place


def tree_of(folder: Path) -> dict[str, tuple[str, bytes]]:
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if name == ".git" or name.startswith(".git/") or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            found[name] = ("120000", os.fsencode(path.readlink()))
        else:
            found[name] = ("100755" if os.access(path, os.X_OK) else "100644", path.read_bytes())
    return found


async def test_every_kind_of_change_is_in_the_patch_and_the_patch_applies(site: Site) -> None:
    odd = os.fsdecode(b"caf\xe9 \xff.txt")
    async with site.lease() as lease:
        tree = lease.folder
        (tree / "README.md").unlink()
        (tree / "link").unlink()
        (tree / "link").symlink_to("src/a.py")
        (tree / "run.sh").chmod(0o644)
        (tree / "src" / "a.py").chmod(0o755)
        (tree / "data.bin").write_bytes(bytes(range(255, -1, -1)) * 9)
        (tree / "crlf.txt").write_bytes(b"one\r\ntwo\nthree\r\n")
        (tree / "x.enc").write_bytes(b"\xff\xfeno valid UTF-16 \xd8")
        (tree / odd).write_bytes(b"\x00\xff")
        (tree / 'new\nline\t"quote".txt').write_text("odd\n")
        (tree / "-rf").write_text("dash\n")
        (tree / ":(glob)*").write_text("magic\n")
        (tree / "deep" / "er").mkdir(parents=True)
        (tree / "deep" / "er" / "empty").touch()
        (tree / "deep" / "dangling").symlink_to("/nowhere")
        (tree / "src" / "b.py").rename(tree / "deep" / "b.py")
        wanted = tree_of(tree)
        assert (await site.snapshot(lease)).nested == ()
        snapshot = await lease.capture()
    assert snapshot is not None
    assert site.at(snapshot.commit) == wanted
    assert tree_of(apply(site, snapshot.patch, lease.began.base)) == wanted
    assert len(snapshot.digest) == 64


async def test_the_same_work_has_the_same_commit_and_digest(site: Site) -> None:
    snapshots = []
    for _ in range(2):
        async with site.lease() as lease:
            (lease.folder / "new.txt").write_text("same\n")
            first, second = await lease.capture(), await lease.capture()
            assert first == second
            snapshots.append(first)
    assert snapshots[0] == snapshots[1]


async def test_a_nested_repository_is_captured_as_files_and_reported(site: Site) -> None:
    async with site.lease() as lease:
        for place in ("vendor/lib", "vendor/lib/deeper", "twice"):
            folder = lease.folder / place
            folder.mkdir(parents=True)
            (folder / "code.py").write_text("x = 1\n")
            subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
            (folder / ".git" / "modules").mkdir()
            subprocess.run(
                ["git", "init", "--quiet", str(folder / ".git" / "modules" / "m")], check=True
            )
        (lease.folder / "twice" / "dot-git").mkdir()
        (lease.folder / "twice" / "dot-git" / "taken").write_text("taken\n")
        (lease.folder / "src" / ".git").write_text("gitdir: /elsewhere\n")
        snapshot = await site.snapshot(lease)
        work = await lease.capture()
    assert work is not None
    assert work.commit == snapshot.commit
    assert {"vendor/lib", "vendor/lib/deeper", "twice", "src"} <= set(snapshot.nested)
    files = site.at(snapshot.commit)
    assert not [name for name, (mode, _) in files.items() if mode == "160000" or "/.git" in name]
    assert files["vendor/lib/deeper/code.py"] == ("100644", b"x = 1\n")
    assert files["twice/dot-git/taken"][1] == b"taken\n"
    assert "twice/dot-git-2/HEAD" in files
    assert files["src/dot-git"][1] == b"gitdir: /elsewhere\n"
    assert {"src/a.py", "src/b.py"} <= files.keys()


@pytest.mark.parametrize(
    "name", [".GIT", ".git ", ".git.", "GIT~1", "git~1", ".git:stream", ".Git . "]
)
async def test_names_that_git_would_refuse_lose_no_work(site: Site, name: str) -> None:
    async with site.lease() as lease:
        (lease.folder / name).mkdir()
        (lease.folder / name / "work.txt").write_text("paid for\n")
        (lease.folder / "src" / name).write_text("also\n")
        snapshot = await site.snapshot(lease)
        work = await lease.capture()
    assert work is not None
    assert work.commit == snapshot.commit
    assert set(snapshot.nested) == {".", "src"}
    files = site.at(snapshot.commit)
    assert files["dot-git/work.txt"][1] == b"paid for\n"
    assert files["src/dot-git"][1] == b"also\n"


async def test_an_emptied_worktree_is_a_snapshot_too(site: Site) -> None:
    async with site.lease() as lease:
        for path in sorted(lease.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        snapshot = await lease.capture()
    assert snapshot is not None
    assert site.at(snapshot.commit) == {}


@pytest.mark.parametrize("later", [0.0, 1.1], ids=["in the same second", "a second later"])
async def test_a_change_that_hides_behind_the_old_size_and_time_is_seen(
    site: Site, later: float
) -> None:
    async with site.lease() as lease:
        file = lease.folder / "src" / "a.py"
        before, was = file.stat(), file.read_bytes()
        await asyncio.sleep(later)
        file.write_bytes(was.swapcase())
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        snapshot = await lease.capture()
    assert was != was.swapcase()
    assert snapshot is not None
    assert site.at(snapshot.commit)["src/a.py"] == ("100644", was.swapcase())


async def test_the_index_keeps_its_time_by_which_git_knows_what_it_must_read_again(
    site: Site,
) -> None:
    """The git of this machine may compare nanoseconds, and not need it; others compare whole seconds."""
    async with site.lease() as lease:
        written = lease.folder.parent / "index"
        await asyncio.sleep(0.05)
        lease.began.lay_index(site.tmp / "index")
        assert (site.tmp / "index").stat().st_mtime_ns == written.stat().st_mtime_ns
        assert (site.tmp / "index").read_bytes() == written.read_bytes()


async def test_where_nothing_was_changed_nothing_is_stored(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "README.md").touch()
        (lease.folder / "empty").mkdir()
        before = sorted(site.mirror.rglob("*"))
        assert await lease.capture() is None
        assert sorted(site.mirror.rglob("*")) == before


async def test_the_first_files_of_an_empty_commit_are_captured(site: Site) -> None:
    async with site.lease():
        files = site.at(site.widgets.head())
    empty = site.widgets.commit("main", dict.fromkeys(files))
    async with site.lease(commit=empty) as lease:
        assert await lease.capture() is None
        (lease.folder / "first.txt").write_text("first\n")
        snapshot = await lease.capture()
    assert snapshot is not None
    assert site.at(snapshot.commit) == {"first.txt": ("100644", b"first\n")}


async def test_a_snapshot_outlives_its_lease_and_the_collection_of_garbage(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "new.txt").write_text("kept\n")
        snapshot = await lease.capture()
    assert snapshot is not None
    subprocess.run(["git", f"--git-dir={site.mirror}", "gc", "--quiet"], check=True)
    assert await read_files(
        site.mirror, snapshot.commit, ["new.txt", "data.bin", "link", "no"]
    ) == {"new.txt": "kept\n"}
    assert "+kept" in await diff(site.mirror, lease.began.base, snapshot.commit)
    assert "new.txt" in await list_paths(site.mirror, snapshot.commit)
    forget(site, snapshot.commit)  # by somebody who removes all that no ref holds
    assert await restore(site.mirror, snapshot) == snapshot.commit
    assert "new.txt" in await list_paths(site.mirror, snapshot.commit)


# work that goes on


async def test_a_lease_can_begin_with_the_work_of_another(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "new.txt").write_text("first\n")
        (lease.folder / "README.md").unlink()
        first = await lease.capture()
    async with site.lease(start=first) as lease:
        assert (lease.folder / "new.txt").read_text() == "first\n"
        assert not (lease.folder / "README.md").exists()
        assert await lease.capture() == first, "nothing was added"
        (lease.folder / "src" / "a.py").write_text("second\n")
        second = await lease.capture()
    assert first is not None
    assert second is not None
    assert (second.base, lease.began.base) == (first.base, first.base), (
        "a patch is always against the chain's own commit"
    )
    files = tree_of(apply(site, second.patch, second.base))
    assert (files["new.txt"][1], files["src/a.py"][1]) == (b"first\n", b"second\n")
    assert "README.md" not in files


async def test_work_that_is_taken_back_is_captured_as_that(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "new.txt").write_text("first\n")
        first = await lease.capture()
    async with site.lease(start=first) as lease:
        (lease.folder / "new.txt").unlink()
        second = await lease.capture()
    assert second is not None, "else the next step would begin with what was taken back"
    assert second.patch == b""
    async with site.lease(start=second) as lease:
        assert not (lease.folder / "new.txt").exists()


async def test_work_is_made_anew_from_its_patch_where_nobody_has_its_commit(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "data.bin").write_bytes(bytes(range(255, -1, -1)) * 9)
        (lease.folder / "crlf.txt").write_bytes(b"one\r\ntwo\nthree\r\n")
        (lease.folder / "run.sh").chmod(0o644)
        (lease.folder / "link").unlink()
        (lease.folder / "link").symlink_to("src/a.py")
        wanted = tree_of(lease.folder)
        work = await lease.capture()
    assert work is not None
    forget(site, work.commit)
    async with site.lease(start=work) as lease:
        assert tree_of(lease.folder) == wanted
        assert await lease.capture() == work


async def test_a_patch_that_gives_another_commit_is_refused(site: Site) -> None:
    async with site.lease() as lease:
        (lease.folder / "new.txt").write_text("true\n")
        work = await lease.capture()
    assert work is not None
    forget(site, work.commit)
    for patch in (work.patch.replace(b"+true", b"+fake"), b"", b"no patch"):
        with pytest.raises(WorktreeError):
            async with site.lease(start=replace(work, patch=patch)):
                pytest.fail("it was taken for the work")
    assert site.leftovers() == []


def forget(site: Site, commit: str) -> None:
    """Make the mirror one that has never seen a run's work."""
    own = ["git", f"--git-dir={site.mirror}"]
    subprocess.run([*own, "gc", "--prune=now", "--quiet"], check=True)
    assert (
        subprocess.run(
            [*own, "cat-file", "-e", commit], check=False, capture_output=True
        ).returncode
        != 0
    )
