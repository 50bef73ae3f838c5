"""Looks at the trees of a commit that is going to be checked out: each name once, and in git's order.

A fetch tolerates other trees in a repository's history. But a tree that names one file twice shows one content in a
diff and may write the other one, so nothing is made of it.
"""

from __future__ import annotations

from pathlib import Path

from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git


async def check(git_dir: Path, commit: str) -> None:
    """Raises WorktreeError, naming the entry, where a tree of the commit is ambiguous."""
    listed = await git(
        "ls-tree", "-r", "-t", "-z", "--full-tree", commit, git_dir=git_dir, timeout=300
    )
    if (odd := ambiguous(listed)) is not None:
        name = odd.decode(errors="backslashreplace")
        raise WorktreeError(
            f"a tree of commit {commit[:9]} names {name[:200]!r} twice or out of order"
        )


def ambiguous(listed: bytes) -> bytes | None:
    """The first entry, in the output of `git ls-tree -rtz`, that does not come after the one before it in its tree."""
    last: dict[bytes, bytes] = {}
    """By folder: the entry that came last, as git compares it: a folder's name as if it ended with a slash."""
    names: set[bytes] = set()
    for line in listed.split(b"\0"):
        meta, _, path = line.partition(b"\t")
        if not path:
            continue
        folder, _, name = path.rpartition(b"/")
        compared = name + b"/" if b" tree " in meta else name
        if path in names or last.get(folder, b"") >= compared:
            return path
        names.add(path)
        last[folder] = compared
    return None
