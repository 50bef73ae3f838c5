"""Everything that can be told of a folder, to compare it with a clean one byte by byte."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from claude_pool_gh.worktrees.checkouts.traits import traits_of

Truth = dict[str, tuple[object, ...]]


def truth_of(tree: Path) -> Truth:
    """Kind, mode, content, links, attributes and flags of every entry, by its name."""
    return {str(path.relative_to(tree)): _of(path) for path in [tree, *sorted(tree.rglob("*"))]}


def _of(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return ("link", path.readlink())
    if stat.S_ISDIR(status.st_mode):
        return ("folder", status.st_mode, traits_of(path))
    content = path.read_bytes() if stat.S_ISREG(status.st_mode) else None
    return ("file", status.st_mode, status.st_nlink, content, tuple(os.listxattr(path)))
