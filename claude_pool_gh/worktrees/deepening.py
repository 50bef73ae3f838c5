"""Finds where two commits went apart in a mirror that may be cut: fetches more until the answer is certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import NoCommonCommit
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.leases import Worktrees
from claude_pool_gh.worktrees.mirror import Mirror

EVERYTHING: Final = 2**31 - 1
"""What git takes for a history that is not cut."""
_STEPS: Final = (1_000, 20_000, EVERYTHING)


async def merge_base(
    worktrees: Worktrees, repository_id: int, base: str, head: str, steps: Sequence[int] = _STEPS
) -> str:
    """The commit from which `head` went its own way. Raises NoCommonCommit and other WorktreeErrors.

    `steps`: commits of each line that are fetched at most, one after the other, where histories are cut.
    """
    mirror = worktrees.mirror(repository_id)
    for most in steps:
        path = await worktrees.fetch(repository_id, [base, head], [], history=most)
        try:
            found = await history.merge_base(path, base, head)
        except NoCommonCommit:
            if not await _ends_early(mirror, base, head):
                raise
        else:
            # beyond an end on this side of it a nearer one may lie
            if not await _ends_early(mirror, base, head, f"^{found}"):
                return found
    raise NoCommonCommit("the two branches have no commit in common that could be fetched")


async def _ends_early(mirror: Mirror, *commits: str) -> bool:
    """True where a fetch has cut one of the lines that lead to these commits."""
    ends = mirror.ends()
    if not ends:
        return False
    lines = await git("rev-list", *commits, git_dir=mirror.path)
    return not ends.isdisjoint(lines.decode().split())
