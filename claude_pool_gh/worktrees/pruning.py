"""Removes what mirrors keep too long: refs of commits fetched long ago, and mirrors of repositories that are gone.

Whatever is removed here can be fetched again. Objects stay for as long again after their refs, so that nobody who is
reading them just now misses any.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import FETCH_TIMEOUT, Mirror

logger = logging.getLogger(__name__)

_COMMITS: Final = "refs/pool/commits"
_MANY: Final = 200
"""Refs whose removal is worth a look at every object of the mirror."""


async def prune_refs(mirror: Mirror, older_than_secs: float) -> int:
    """Remove the refs of commits that were fetched so long ago; returns how many."""
    if not (mirror.path / "HEAD").exists():
        return 0
    async with mirror.alone():
        before = time.time() - older_than_secs
        old = await asyncio.to_thread(_older, mirror.path / _COMMITS, before)
        if old:
            lines = "".join(f"delete {_COMMITS}/{name}\n" for name in old)
            await git("update-ref", "--stdin", git_dir=mirror.path, stdin=lines.encode())
            mirror.present.clear()
        if len(old) >= _MANY:
            await _drop_objects(mirror.path, older_than_secs)
    return len(old)


async def _drop_objects(path: Path, older_than_secs: float) -> None:
    """Drop objects that no ref has needed for so long. Git before 2.37 cannot, and keeps them."""
    kept = f"--cruft-expiration={int(older_than_secs)}.seconds.ago"
    try:
        await git(
            *("repack", "-a", "-d", "--cruft", kept, "--quiet"), git_dir=path, timeout=FETCH_TIMEOUT
        )
    except WorktreeError as error:
        logger.warning("objects not dropped: %s", error, extra={"action": "objects_not_dropped"})


def remove_repositories(state: Path, ids: Collection[int]) -> int:
    """Remove mirrors and checkouts of repositories; returns how many had any. Nobody may be at work in them."""
    removed = 0
    for each in ids:
        places = (state / "mirrors" / f"{int(each)}.git", state / "checkouts" / str(int(each)))
        there = [place for place in places if place.exists()]
        for place in there:
            remove(place)
        removed += bool(there)
    return removed


def _older(folder: Path, before: float) -> list[str]:
    if not folder.is_dir():
        return []
    return [each.name for each in folder.iterdir() if each.lstat().st_mtime < before]
