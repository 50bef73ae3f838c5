"""Reads commits of a mirror: files at a commit, the merge base, the diff. Runs nothing an agent could have set."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from git import Git, Repo
from git.objects import Blob, Submodule, Tree

from claude_pool_gh.worktrees.errors import NoCommonCommit, WorktreeError
from claude_pool_gh.worktrees.git import git, scrubbed_environment
from claude_pool_gh.worktrees.mirror import checked_commit

CONTEXT_LINES: Final = 10
_FILE_LIMIT: Final = 2 * 2**20


async def merge_base(mirror: Path, base: str, head: str) -> str:
    """The commit from which `head` went its own way. Raises NoCommonCommit where there is none."""
    try:
        found = await git("merge-base", checked_commit(base), checked_commit(head), git_dir=mirror)
    except WorktreeError as error:
        if type(error) is WorktreeError and not (error.detail or error.out):
            # git says nothing then; of everything else that can be wrong it does.
            raise NoCommonCommit("the two branches have no commit in common") from error
        raise
    return found.decode().split()[0]


_DIFF: Final = (
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--find-renames",
    "--full-index",
)
_NAMES_AT_ONCE: Final = 200


async def diff(mirror: Path, old: str, new: str, *, context: int = CONTEXT_LINES) -> str:
    """The changes between two commits as a unified diff; bytes that are no UTF-8 are shown as replacements."""
    out = await _diff(mirror, old, new, f"--unified={context}")
    return await asyncio.to_thread(out.decode, errors="replace")


async def listing(mirror: Path, old: str, new: str) -> bytes:
    """The files that differ, with their modes, contents' ids and numbers of lines, as `git diff -z` lists them."""
    return await _diff(mirror, old, new, "--raw", "--numstat", "--no-abbrev", "-z")


async def diffs(
    mirror: Path,
    old: str,
    new: str,
    names: Sequence[Sequence[str]],
    *,
    context: int = CONTEXT_LINES,
) -> list[bytes]:
    """The changes of these files, each named by its paths on both sides, some at a time, in the same order."""
    return [
        await _diff(
            mirror,
            old,
            new,
            f"--unified={context}",
            paths=[name for each in names[at : at + _NAMES_AT_ONCE] for name in each],
        )
        for at in range(0, len(names), _NAMES_AT_ONCE)
    ]


async def _diff(
    mirror: Path, old: str, new: str, *options: str, paths: Sequence[str] = ()
) -> bytes:
    return await git(
        "-c",
        "core.quotePath=false",  # an agent copies a name as it is shown, and opens the file by it
        *_DIFF,
        "--src-prefix=a/",
        "--dst-prefix=b/",
        *options,
        "--end-of-options",
        checked_commit(old),
        checked_commit(new),
        "--",
        *paths,
        git_dir=mirror,
        environment={"GIT_LITERAL_PATHSPECS": "1"},
    )


async def changed_paths(mirror: Path, old: str, new: str) -> list[str]:
    """The files that differ between two commits, by their names in the newer one where they have one."""
    out = await git(
        "diff",
        "--name-only",
        "-z",
        "--no-ext-diff",
        "--find-renames",
        "--end-of-options",
        checked_commit(old),
        checked_commit(new),
        git_dir=mirror,
    )
    return [path for path in out.decode(errors="replace").split("\0") if path]


_HISTORY: Final = 2_000
"""Commits that are looked at to tell what changes often."""


async def commits_of_paths(mirror: Path, commit: str) -> dict[str, int]:
    """The number of the newest commits that touched each path; nothing of a path that none of them did."""
    out = await git(
        "log",
        f"--max-count={_HISTORY}",
        "--no-merges",
        "--no-renames",
        "--no-ext-diff",
        "--name-only",
        "--format=",
        "-z",
        checked_commit(commit),
        git_dir=mirror,
        environment={"GIT_ALLOW_PROTOCOL": "none"},
    )
    return dict(Counter(path for path in out.decode(errors="replace").split("\0") if path))


async def read_files(
    mirror: Path, commit: str, paths: Iterable[str], *, pointers: bool = False
) -> dict[str, str]:
    """The text files among `paths` at a commit. Links, submodules, binaries and files over 2 MB are left out.

    With `pointers` a link is there as the path, a submodule as the commit that it names, as a diff shows them.
    """
    return await asyncio.to_thread(
        _read_files, mirror, checked_commit(commit), tuple(paths), pointers
    )


async def list_paths(mirror: Path, commit: str) -> list[str]:
    """Every file of a commit."""
    out = await git("ls-tree", "-r", "-z", "--name-only", checked_commit(commit), git_dir=mirror)
    return [path for path in out.decode(errors="replace").split("\0") if path]


async def blobs_of_paths(mirror: Path, commit: str) -> dict[str, str]:
    """The content's id of every file of a commit, by its path."""
    out = await git("ls-tree", "-r", "-z", checked_commit(commit), git_dir=mirror)
    listed = (line.partition("\t") for line in out.decode(errors="replace").split("\0") if line)
    return {path: meta.split(" ")[2] for meta, _, path in listed}


class _ScrubbedGit(Git):
    """GitPython's git, with our environment in place of the server's, which holds every secret."""

    def execute(self, command: Any, *args: Any, **options: Any) -> Any:
        """Run a command of GitPython's own making."""
        pairs = [f"{name}={value}" for name, value in scrubbed_environment().items()]
        return super().execute(["/usr/bin/env", "-i", *pairs, *command], *args, **options)


class _Mirror(Repo):
    """A mirror as GitPython sees it. It only reads objects here."""

    GitCommandWrapperType = _ScrubbedGit


def _read_files(
    mirror: Path, commit: str, paths: tuple[str, ...], pointers: bool
) -> dict[str, str]:
    found: dict[str, str] = {}
    with _Mirror(mirror) as repo:
        tree = repo.commit(commit).tree
        for path in paths:
            text = _read(tree, path, pointers)
            if text is not None:
                found[path] = text
    return found


def _read(tree: Tree, path: str, pointers: bool) -> str | None:
    try:
        entry = tree.join(path)
    except (KeyError, ValueError):
        return None
    if pointers and isinstance(entry, Submodule):
        return f"Subproject commit {entry.hexsha}\n"
    if not isinstance(entry, Blob) or entry.size > _FILE_LIMIT:
        return None
    if entry.mode == Blob.link_mode and not pointers:
        return None
    data: bytes = entry.data_stream.read()
    return None if b"\0" in data else data.decode(errors="replace")
