"""Puts a commit of the mirror on a ref of its origin, if that is still where it was seen. Never forced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Login, git
from claude_pool_gh.worktrees.mirror import checked_commit

PUSH_TIMEOUT: Final = 300.0
_BRANCH: Final = re.compile(r"refs/heads/(?!-)[A-Za-z0-9][^\x00-\x20\x7f~^:?*\[\\]{0,240}")


class PushRefused(WorktreeError):
    """The ref is not where it was expected, or the origin says no. Nothing has changed there."""


async def push(mirror: Path, login: Login, commit: str, ref: str, expected: str | None) -> None:
    """Move `ref` from `expected` (None: it does not exist) to `commit`. Raises PushRefused, or WorktreeError.

    git compares and sets: with the lease, whoever moved the ref in between makes this fail, and the commit's parent
    being what was expected, nothing is ever lost from the branch.
    """
    if not _BRANCH.fullmatch(ref) or ".." in ref or "@{" in ref or ref.endswith((".lock", "/", ".")):
        raise PushRefused(f"not a branch: {ref[:80]!r}")
    lease = f"--force-with-lease={ref}:{checked_commit(expected) if expected else ''}"
    try:
        out = await git(
            "push", "--porcelain", "--no-verify", "--quiet", lease, "--end-of-options", login.url,
            f"{checked_commit(commit)}:{ref}",
            git_dir=mirror, environment=login.environment(), timeout=PUSH_TIMEOUT,
        )  # fmt: skip
    except WorktreeError as error:
        if "[rejected]" in error.detail or "[remote rejected]" in error.detail or " 403" in error.detail:
            raise PushRefused("the branch has moved, or the push was refused", error.detail) from error
        raise
    if b"\n!" in b"\n" + out:
        raise PushRefused("the push was refused", out.decode(errors="replace")[-500:])
