"""Asks a git directory that somebody else configured: only what runs nothing that its configuration names.

A repository that was handed over whole, say as an archive, brings its own `.git/config`. Filters, monitors and
programs for fetches that are named there run as soon as git compares a work tree, writes an index or talks to a remote.
So such commands run in a store of our own, see `local`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git

_ALLOWED: Final = ("rev-parse", "symbolic-ref", "config --get", "update-ref")
"""Commands that touch no work tree, no index and no remote, as they begin. Hooks are off in all of them."""
_NO_REMOTE: Final = {"GIT_ALLOW_PROTOCOL": "none"}
"""A commit that is not there is not asked of a remote, which git may reach by a program of the repository's choice."""


async def ask(*arguments: str, folder: Path | None = None, git_dir: Path | None = None) -> bytes:
    """Answer of git about a working folder or git directory. Raises WorktreeError, also for all other commands."""
    words = " ".join(arguments[:2])
    if not any(words == each or words.startswith(f"{each} ") for each in _ALLOWED):
        raise WorktreeError(f"git {words} does not run with another repository's configuration")
    where = () if folder is None else ("-c", "safe.directory=*", "-C", str(folder.absolute()))
    return await git(*where, *arguments, git_dir=git_dir, environment=_NO_REMOTE)
