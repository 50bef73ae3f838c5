"""Reads commits of a mirror: files at a commit, the merge base, the diff. Runs nothing an agent could have set."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.errors import NoCommonCommit, WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import checked_commit

CONTEXT_LINES: Final = 10


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
    """The files that differ between two commits, as people are shown their names in the newer one, or the older."""
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


NEWEST: Final = 2_000
"""Commits that are looked at to tell what changes often."""


async def commits_of_paths(mirror: Path, commit: str) -> dict[str, int]:
    """The number of the newest commits that touched each path; nothing of a path that none of them did."""
    out = await git(
        "log",
        f"--max-count={NEWEST}",
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
    return dict(Counter(_utf8(out.split(b"\0"))))


async def read_files(
    mirror: Path, commit: str, paths: Iterable[str], *, pointers: bool = False
) -> dict[str, str]:
    """The text files among `paths` at a commit. Links, submodules, binaries and files over 2 MB are left out.

    With `pointers` a link is there as the path, a submodule as the commit that it names, as a diff shows them.
    """
    from claude_pool_gh.worktrees.blobs import texts  # noqa: PLC0415 - GitPython: only work needs it

    return await asyncio.to_thread(texts, mirror, checked_commit(commit), tuple(paths), pointers)


async def list_paths(mirror: Path, commit: str) -> list[str]:
    """Every file of a commit whose name is UTF-8."""
    out = await git("ls-tree", "-r", "-z", "--name-only", checked_commit(commit), git_dir=mirror)
    return list(_utf8(out.split(b"\0")))


async def blobs_of_paths(mirror: Path, commit: str) -> dict[str, str]:
    """The content's id of every file of a commit whose name is UTF-8, by its path."""
    out = await git("ls-tree", "-r", "-z", checked_commit(commit), git_dir=mirror)
    listed = (line.partition("\t") for line in _utf8(out.split(b"\0")))
    return {path: meta.split(" ")[2] for meta, _, path in listed}


def _utf8(lines: Iterable[bytes]) -> Iterator[str]:
    """Those that are UTF-8. With a sign in place of odd bytes, one name could be taken for that of another file."""
    for line in lines:
        if line:
            with suppress(UnicodeDecodeError):
                yield line.decode()
