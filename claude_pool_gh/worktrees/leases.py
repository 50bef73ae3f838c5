"""Lends worktrees: one for each run of a task, at a pinned commit, gone when the run is over."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from claude_pool_gh.worktrees.git import Login, git
from claude_pool_gh.worktrees.mirror import Mirror, checked_commit, take_bytes_as_they_are
from claude_pool_gh.worktrees.snapshot import CAPTURING, Snapshot, capture

Logins = Callable[[int], Awaitable[Login]]
"""Gives credentials and clone URL for a repository id."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One leased worktree."""

    folder: Path
    base: str
    run_id: str
    _mirror: Path

    async def capture(self) -> Snapshot | None:
        """What changed since the base commit, stored in the mirror under the run's name."""
        return await capture(self._mirror, self.folder, self.base, self.run_id)


@dataclass(frozen=True, slots=True)
class Worktrees:
    """Mirrors and leases under one state folder."""

    state: Path
    login: Logins
    _mirrors: dict[int, Mirror] = field(default_factory=dict)

    def mirror(self, repository_id: int) -> Mirror:
        """The mirror of a repository; it may not have been fetched yet."""
        path = self.state / "mirrors" / f"{int(repository_id)}.git"
        return self._mirrors.setdefault(repository_id, Mirror(path))

    async def fetch(self, repository_id: int, wanted: list[str], refs: list[str]) -> Path:
        """Bring commits into a repository's mirror and return its path. Warm calls start no fetch."""
        mirror = self.mirror(repository_id)
        present = mirror.path.exists() and all([await mirror.has(commit) for commit in wanted])
        if not present:
            await mirror.fetch(await self.login(repository_id), wanted, refs)
        return mirror.path

    @asynccontextmanager
    async def lease(self, run_id: str, slot: int, spec: Any) -> AsyncIterator[Lease]:  # noqa: ARG002
        """A detached worktree of `spec`'s repository at `spec`'s commit; the folder is removed at the end."""
        repository_id, commit = int(spec["repository_id"]), checked_commit(spec["commit"])
        mirror = await self.fetch(repository_id, [commit], list(spec["refs"]))
        place = self.state / "leases" / str(os.getpid()) / run_id
        try:
            await _check_out(mirror, place, commit)
            yield Lease(place / "tree", commit, run_id, mirror)
        finally:
            await asyncio.shield(asyncio.to_thread(_remove, place))

    def sweep(self) -> None:
        """Remove what dead processes left behind. Only at start, before the first lease."""
        for left in (self.state / "leases").glob("*"):
            if not psutil.pid_exists(int(left.name)):
                _remove(left)
        for left in (self.state / "mirrors").glob(f"{CAPTURING}*"):
            _remove(left)
        for path in (self.state / "mirrors").glob("*.git"):
            Mirror(path).unlock()


async def _check_out(mirror: Path, place: Path, commit: str) -> None:
    """A throw-away bare repository that borrows the mirror's objects, and a worktree of that.

    The mirror itself has no worktrees: parallel adds would race for its `config.lock`, and an agent could
    reach its configuration through the worktree's `.git` file.
    """
    _remove(place)
    place.mkdir(parents=True, mode=0o700)
    own = place / "git"
    await git("init", "--quiet", "--bare", "--template=", own)
    (own / "objects" / "info").mkdir(exist_ok=True)
    (own / "objects" / "info" / "alternates").write_text(f"{mirror / 'objects'}\n")
    take_bytes_as_they_are(own)
    await git("worktree", "add", "--quiet", "--detach", place / "tree", commit, git_dir=own, timeout=300)


def _remove(place: Path) -> None:
    """Remove a folder, also one in which an agent has taken our own rights from us."""

    def again(remove: Callable[..., object], path: str, _error: object) -> None:
        with suppress(OSError):
            for folder in (os.path.dirname(path), path):  # noqa: PTH120
                if not os.path.islink(folder):  # noqa: PTH114
                    os.chmod(folder, 0o700)  # noqa: PTH101
            if remove in (os.unlink, os.rmdir):
                remove(path)
            else:  # it could not be listed or opened
                shutil.rmtree(path, ignore_errors=True)

    shutil.rmtree(place, onerror=again)
