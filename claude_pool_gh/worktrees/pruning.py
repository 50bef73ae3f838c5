"""Removes what mirrors keep too long: refs of commits fetched long ago, and mirrors of repositories that are gone.

Whatever is removed here can be fetched again. Objects stay for as long again after their refs, so that nobody who is
reading them just now misses any.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.breakage import drop_broken
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import FETCH_TIMEOUT, Mirror

logger = logging.getLogger(__name__)

_COMMITS: Final = "refs/pool/commits"
_FETCHED: Final = "refs/pool/fetched"
_MANY: Final = 200
"""Refs whose removal is worth a look at every object of the mirror."""
_REMOVED: Final = "pool-refs-removed"
"""A file of the mirror: a line for each ref that was removed since its objects were last looked at."""


async def prune_refs(mirror: Mirror, older_than_secs: float) -> int:
    """Remove the refs of commits, branches and pull requests that were fetched so long ago; returns how many."""
    if not (mirror.path / "HEAD").exists():
        return 0
    async with mirror.alone():
        if await drop_broken(mirror.path):
            mirror.present.clear()
        before = time.time() - older_than_secs
        old = await asyncio.to_thread(_older, mirror.path, before)
        if old:
            lines = "".join(f"delete {name}\n" for name in old)
            await git("update-ref", "--stdin", git_dir=mirror.path, stdin=lines.encode())
            mirror.present.clear()
            with (mirror.path / _REMOVED).open("a", encoding="utf-8") as file:
                file.write("\n" * len(old))
        if _removed(mirror.path) >= _MANY:
            await _drop_objects(mirror.path, older_than_secs)
            (mirror.path / _REMOVED).unlink(missing_ok=True)
    return len(old)


def _removed(path: Path) -> int:
    """The number of refs that were removed, round by round, since their objects were last looked at."""
    try:
        return (path / _REMOVED).stat().st_size
    except FileNotFoundError:
        return 0


async def _drop_objects(path: Path, older_than_secs: float) -> None:
    """Drop objects that no ref has needed for so long. Git before 2.37 cannot, and keeps them."""
    kept = f"--cruft-expiration={int(older_than_secs)}.seconds.ago"
    try:
        await git(
            *("repack", "-a", "-d", "--cruft", kept, "--quiet"), git_dir=path, timeout=FETCH_TIMEOUT
        )
    except WorktreeError as error:
        logger.warning("objects not dropped: %s", error, extra={"action": "objects_not_dropped"})


def unused(state: Path) -> list[int]:
    """The repositories whose mirrors have no ref of a fetch any more."""
    return [
        int(path.stem)
        for path in sorted((state / "mirrors").glob("*.git"))
        if path.stem.isdecimal() and not _older(path)
    ]


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


def _older(path: Path, before: float = math.inf) -> list[str]:
    """The refs that were written before a moment. None is packed here, so each is a file."""
    return [
        each.relative_to(path).as_posix()
        for kind in (_COMMITS, _FETCHED)
        for each in (path / kind).rglob("*")
        if each.is_file() and not each.name.endswith(".lock") and each.stat().st_mtime < before
    ]
