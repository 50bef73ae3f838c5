"""A bare mirror of one repository, kept under the state folder and fetched when a commit is missing."""

from __future__ import annotations

import asyncio
import fcntl
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Login, git

FETCH_TIMEOUT: Final = 600.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """One repository's mirror. `lock` keeps two fetches of it apart, here and in other processes."""

    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    present: set[str] = field(default_factory=set)

    async def fetch(self, login: Login, wanted: Iterable[str], refs: Iterable[str]) -> None:
        """Make every commit in `wanted` present, fetching `refs` and then single commits where needed.

        Raises WorktreeError when the repository cannot be read or does not hold a commit any more.
        """
        commits = [checked_commit(commit) for commit in wanted]
        async with self.lock, _across_processes(self.path.with_suffix(".lock")):
            await self._make()
            missing = [commit for commit in commits if not await self.has(commit)]
            if missing and (kept := [f"+{ref}:{_kept(ref)}" for ref in refs]):
                with suppress(WorktreeError):  # a branch may be gone; what counts is whether the commits come
                    await self._fetch(login, kept)
            for commit in [commit for commit in missing if not await self.has(commit)]:
                await self._fetch(login, [f"{commit}:refs/pool/commits/{commit}"])
            for commit in missing:
                await git("update-ref", f"refs/pool/commits/{commit}", commit, git_dir=self.path)

    async def has(self, commit: str) -> bool:
        """Whether a commit is here. Nothing is ever removed from a mirror, so a yes is remembered."""
        if commit in self.present:
            return True
        try:
            await git("cat-file", "-e", f"{checked_commit(commit)}^{{commit}}", git_dir=self.path)
        except WorktreeError:
            return False
        self.present.add(commit)
        return True

    def unlock(self) -> None:
        """Remove git's lock files that a killed process left here, unless somebody is at work."""
        with self.path.with_suffix(".lock").open("w") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for left in self.path.rglob("*.lock"):
                left.unlink(missing_ok=True)

    async def _make(self) -> None:
        if not (self.path / "HEAD").exists():
            private_folder(self.path.parent)
            await git("init", "--quiet", "--bare", "--template=", "--initial-branch=main", self.path)
        take_bytes_as_they_are(self.path)

    async def _fetch(self, login: Login, refspecs: list[str]) -> None:
        await git(
            "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--end-of-options", login.url, *refspecs,
            git_dir=self.path, environment=login.environment(), timeout=FETCH_TIMEOUT,
        )  # fmt: skip


def take_bytes_as_they_are(git_dir: Path) -> None:
    """Let no `.gitattributes` of a tree change or refuse content on its way in or out: no filter, no encoding."""
    (git_dir / "info").mkdir(exist_ok=True)
    own = "* -text -filter -ident -export-ignore -export-subst !working-tree-encoding\n"
    (git_dir / "info" / "attributes").write_text(own)


def checked_commit(text: str) -> str:
    """The text, if it is a full commit id: nothing else may stand where git expects one."""
    if not _COMMIT.fullmatch(text):
        raise WorktreeError(f"not a commit id: {text[:80]!r}")
    return text


def _kept(ref: str) -> str:
    if not ref.startswith("refs/"):
        raise WorktreeError(f"not a full ref name: {ref[:80]!r}")
    return f"refs/pool/fetched/{ref.removeprefix('refs/')}"


@asynccontextmanager
async def _across_processes(path: Path) -> AsyncIterator[None]:
    private_folder(path.parent)
    with path.open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield
