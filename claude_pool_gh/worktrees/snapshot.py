"""A slot's work as a commit and a patch, taken before its worktree goes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from claude_pool_gh.pool.model.ports import CapturedChange
from claude_pool_gh.storage.owners import own_mark
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import checked_commit

_DOT_GIT: Final = re.compile(r"(\.git|git~1)[ .]*(:.*)?", re.IGNORECASE)
"""Every name that git takes for its own directory on some system, and so refuses to add."""
CAPTURING: Final = "capture-"
KEPT_UNDER: Final = "refs/pool/snapshots"
_WHEN: Final = "2000-01-01T00:00:00Z"  # a snapshot of the same work has the same id


@dataclass(frozen=True, slots=True)
class InitialState:
    """The state of a worktree before the agent came."""

    base: str
    """The commit that the chain began at."""
    commit: str
    """What was checked out: the base, or an earlier step's work on it."""
    index: BinaryIO
    """The index that the check-out wrote, in a file without a name, which no agent can reach. It knows size and times
    of every file, so that only what has changed since is read again."""
    written_ns: int
    """When that index was written: files of the same second may have changed since, and git reads them again."""
    own_git: bool
    """Whether the folder came with a git directory of its own at the top, which is none of the work."""

    def lay_index(self, path: Path) -> None:
        """Write the index where git shall find it, with its own time."""
        self.index.seek(0)
        with path.open("wb") as file:
            shutil.copyfileobj(self.index, file)
        os.utime(path, ns=(self.written_ns, self.written_ns))


@contextmanager
def begun(base: str, commit: str, written: Path, *, own_git: bool = True) -> Iterator[InitialState]:
    """The state of what was just checked out with the index `written`, to be captured before the end."""
    with tempfile.TemporaryFile() as kept:
        kept.write(written.read_bytes())
        yield InitialState(base, commit, kept, written.stat().st_mtime_ns, own_git)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The contents of a worktree beyond its commit."""

    commit: str
    patch: bytes
    nested: tuple[str, ...]
    """Folders with a git directory of their own; their files are in the commit, it under the name `dot-git`."""

    @property
    def digest(self) -> str:
        """SHA-256 of the patch."""
        return hashlib.sha256(self.patch).hexdigest()


async def capture(mirror: Path, tree: Path, began: InitialState) -> Snapshot | None:
    """Store the difference between the base and the folder `tree` in the mirror; None when there never was one.

    No ref holds the commit: nothing is removed from a mirror, and `restore` makes it anew from its patch. Nested git
    directories are renamed first: git would record them as a bare link and lose the files.
    """
    if tree.is_symlink() or not tree.is_dir():
        raise WorktreeError("the worktree is no folder any more")
    nested, base = _unnest(tree, own_git=began.own_git), checked_commit(began.base)
    # Invariant: git directory, index and attributes that count are the host's; only file contents are the agent's.
    with tempfile.TemporaryDirectory(
        prefix=f"{CAPTURING}{own_mark()}-", dir=mirror.parent
    ) as private:
        index = Path(private) / "index"
        began.lay_index(index)
        own = {"GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}
        add = ("add", "--all", "--verbose", "--", ".")
        changes = await git(*add, git_dir=mirror, environment=own, timeout=300)
        if not changes and began.commit == base:
            return None
        written = (await git("write-tree", git_dir=mirror, environment=own)).decode().strip()
    commit = await _commit(mirror, written, base)
    patch = await git(
        "diff",
        "--binary",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--end-of-options",
        base,
        commit,
        git_dir=mirror,
    )
    return Snapshot(commit, patch, nested)


async def restore(mirror: Path, work: CapturedChange) -> str:
    """The commit of captured work, made anew from its patch where this mirror has never seen it.

    Raises WorktreeError where the patch does not give the commit that it should.
    """
    with suppress(WorktreeError):
        await git("cat-file", "-e", f"{checked_commit(work.commit)}^{{commit}}", git_dir=mirror)
        return work.commit
    with tempfile.TemporaryDirectory(
        prefix=f"{CAPTURING}{own_mark()}-", dir=mirror.parent
    ) as private:
        own = {"GIT_INDEX_FILE": str(Path(private) / "index")}
        await git("read-tree", checked_commit(work.base), git_dir=mirror, environment=own)
        if work.patch:
            await git(
                "apply",
                "--cached",
                "--whitespace=nowarn",
                "-",
                git_dir=mirror,
                environment=own,
                stdin=work.patch,
            )
        written = (await git("write-tree", git_dir=mirror, environment=own)).decode().strip()
    made = await _commit(mirror, written, work.base)
    if made != work.commit:
        raise WorktreeError(f"the kept patch gives {made}, not {work.commit}")
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """All that makes a commit's id besides its files and its parent."""

    message: str
    name: str
    email: str
    when_s: int
    """Seconds since the epoch."""


async def commit_as(mirror: Path, snapshot: str, parent: str, signature: Signature) -> str:
    """A commit with a snapshot's files, written as its author and for its message; the same one each time."""
    tree = (
        (await git("rev-parse", f"{checked_commit(snapshot)}^{{tree}}", git_dir=mirror))
        .decode()
        .strip()
    )
    when = f"@{signature.when_s} +0000"
    own = {
        "GIT_AUTHOR_NAME": signature.name,
        "GIT_AUTHOR_EMAIL": signature.email,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_NAME": signature.name,
        "GIT_COMMITTER_EMAIL": signature.email,
        "GIT_COMMITTER_DATE": when,
    }
    made = await git(
        "commit-tree",
        tree,
        "-p",
        checked_commit(parent),
        "-F",
        "-",
        git_dir=mirror,
        environment=own,
        stdin=signature.message.encode(),
    )
    return made.decode().strip()


async def _commit(mirror: Path, tree: str, base: str) -> str:
    dates = {"GIT_AUTHOR_DATE": _WHEN, "GIT_COMMITTER_DATE": _WHEN}
    made = await git(
        "commit-tree", tree, "-p", base, "-m", "Snapshot", git_dir=mirror, environment=dates
    )
    return made.decode().strip()


def _unnest(tree: Path, *, own_git: bool) -> tuple[str, ...]:
    """Rename every git directory or file, but for the worktree's own at the top; returns the folders they were in."""
    found = set()
    for folder, directories, files in os.walk(tree, followlinks=False):
        here = Path(folder)
        for names in (directories, files):
            for name in [name for name in names if _DOT_GIT.fullmatch(name)]:
                if own_git and here == tree and name == ".git":
                    names.remove(name)  # the worktree's own: git passes it over
                    continue
                free = _free_name(here)
                (here / name).rename(here / free)
                names[names.index(name)] = free  # and what lies below is looked through too
                found.add(str(here.relative_to(tree)))
    return tuple(sorted(found))


def _free_name(folder: Path) -> str:
    names = ("dot-git", *(f"dot-git-{number}" for number in range(2, 1000)))
    return next(name for name in names if not os.path.lexists(folder / name))
