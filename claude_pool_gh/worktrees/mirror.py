"""A bare mirror of one repository, kept under the state folder and fetched when a commit is missing."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.worktrees import breakage, faults, trees
from claude_pool_gh.worktrees.answers import GitOutcome, is_login_refused, meaning_of, reason_of
from claude_pool_gh.worktrees.errors import (
    LoginRefused,
    OriginUnavailable,
    OutOfDisk,
    TookTooLong,
    WorktreeError,
)
from claude_pool_gh.worktrees.git import Credentials, git

logger = logging.getLogger(__name__)

FETCH_TIMEOUT: Final = 600.0
_OLD_SECONDS: Final = 3600.0
"""An object that git began to write that long ago, it has not finished."""
_MANY_PACKS: Final = 40
_MANY_LOOSE: Final = 27
"""Objects in one of 256 folders: some seven thousand in all."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Mirror:
    """One repository's mirror. `lock` keeps two fetches of it apart, here and in other processes."""

    path: Path
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    present: set[str] = field(default_factory=set)
    fetch_seconds: float = FETCH_TIMEOUT

    async def fetch(
        self,
        login: Credentials,
        wanted: Iterable[str],
        refs: Iterable[str],
        *,
        depth: int | None = None,
    ) -> None:
        """Make every commit in `wanted` present, fetching `refs` and then single commits where needed.

        `depth`: commits of each line that come; None for all of their histories.
        Raises WorktreeError when the repository cannot be read or does not hold a commit any more.
        """
        commits = [checked_commit(commit) for commit in wanted]
        async with self.alone():
            await self._make()
            missing = [commit for commit in commits if not await self.has(commit)]
            absent = [commit for commit in missing if not await self._came(commit)]
            deeper = [commit for commit in commits if commit not in absent]
            if absent and (kept := [f"+{ref}:{_kept(ref)}" for ref in refs]):
                try:
                    await self._fetch(login, kept, depth)
                except (OriginUnavailable, TookTooLong):  # the next request would end the same way
                    raise
                except WorktreeError as error:
                    # a branch may be gone; what counts is whether the commits come
                    logger.info("refs not fetched: %s", error, extra={"action": "refs_not_fetched"})
            single = [commit for commit in absent if not await self._came(commit)]
            single += [commit for commit in deeper if await self.is_cut(commit, depth)]
            for commit in single:
                await self._fetch(login, [f"{commit}:refs/pool/commits/{commit}"], depth)
            for commit in missing:
                await trees.check(self.path, commit)
                await git("update-ref", f"refs/pool/commits/{commit}", commit, git_dir=self.path)
                self.present.add(commit)
            if missing:
                await self._repack()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep others from changing its refs, here and in other processes.

        Git's own lock files that are left where it failed are of a command that was killed, and in everybody's way.
        """
        async with self.lock, _across_processes(self.path.with_suffix(".lock")):
            try:
                yield
            except BaseException:
                self._remove_locks()
                raise

    async def has(self, commit: str) -> bool:
        """True where a fetch brought a commit here. A yes is remembered; `pruning` lets objects outlive their refs."""
        if commit in self.present:
            return True
        kept = f"refs/pool/commits/{checked_commit(commit)}^{{commit}}"  # and it is really here
        try:
            await git("rev-parse", "--verify", "--quiet", kept, git_dir=self.path)
        except WorktreeError:
            return False
        self.present.add(commit)
        return True

    async def is_cut(self, commit: str, depth: int | None) -> bool:
        """True where the history of a commit that is here ends before so many commits, because a fetch has cut it."""
        if depth is None or depth <= 1:
            return False
        newest = (f"--max-count={depth}", checked_commit(commit))
        reached = (await git("rev-list", *newest, git_dir=self.path)).decode().split()
        return len(reached) < depth and not self.ends().isdisjoint(reached)

    def ends(self) -> frozenset[str]:
        """The commits whose parents no fetch has brought; none where no history was cut."""
        file = self.path / "shallow"
        return frozenset(file.read_text().split()) if file.exists() else frozenset()

    async def _came(self, commit: str) -> bool:
        """True where a commit came with another ref.

        Its object alone proves nothing: a killed fetch may have left it.
        """
        contains = ("for-each-ref", "--count=1", "--contains", commit, "refs/pool")
        try:
            return bool(await git(*contains, git_dir=self.path))
        except WorktreeError:
            return False

    async def _repack(self) -> None:
        """Join packs, and what lies loose, where many fetches have left many. Nothing is removed that any ref lacks."""
        packs = sum(1 for _ in (self.path / "objects" / "pack").glob("*.pack"))
        sample = self.path / "objects" / "17"  # as git itself estimates: one of 256 folders
        loose = sum(1 for _ in sample.iterdir()) if sample.exists() else 0
        if packs < _MANY_PACKS and loose < _MANY_LOOSE:
            return
        try:
            await git(
                "repack", "--geometric=2", "-d", "--quiet", git_dir=self.path, timeout=FETCH_TIMEOUT
            )
            await git("prune-packed", "--quiet", git_dir=self.path)
        except WorktreeError as error:
            logger.warning("mirror not repacked: %s", error, extra={"action": "repack_failed"})

    def unlock(self) -> None:
        """Remove git's lock files and half packs that a killed process left here, unless somebody is at work."""
        with self.path.with_suffix(".lock").open("w") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove_locks()
            self._remove_partial(0.0)
            self._remove_partial(time.time(), "??/tmp_obj_*", _OLD_SECONDS)
            breakage.drop_unreadable(self.path)

    def _remove_locks(self, older: float = 0.0) -> None:
        """Remove git's lock files, or those older than so many seconds."""
        for left in self.path.rglob("*.lock"):
            with suppress(FileNotFoundError):
                if not older or left.stat().st_mtime < time.time() - older:
                    left.unlink()

    def _remove_partial(self, since: float, what: str = "pack/tmp_*", older: float = 0.0) -> int:
        """Remove files that git had not finished, written since a time or older than so many seconds; their bytes."""
        removed = 0
        for left in (self.path / "objects").glob(what):
            with suppress(FileNotFoundError):
                written = left.stat()
                if written.st_mtime >= since or (older and written.st_mtime < time.time() - older):
                    left.unlink()
                    removed += written.st_size
        return removed

    async def _make(self) -> None:
        if not (self.path / "HEAD").exists():
            private_folder(self.path.parent)
            await git(
                "init", "--quiet", "--bare", "--template=", "--initial-branch=main", self.path
            )
        take_bytes_as_they_are(self.path)

    async def _fetch(self, login: Credentials, refspecs: list[str], depth: int | None) -> None:
        """Fetch, and where something that is broken here was in the way, once more without that."""
        try:
            await self._fetch_once(login, refspecs, depth)
        except (OriginUnavailable, TookTooLong, OutOfDisk):
            raise
        except WorktreeError:
            if not await breakage.drop_broken(self.path):
                raise
            self.present.clear()
            await self._fetch_once(login, refspecs, depth)

    async def _fetch_once(self, login: Credentials, refspecs: list[str], depth: int | None) -> None:
        """One fetch. What it leaves half done when it fails, or is ended, goes: nothing could go on from it."""
        began, finished, removed = time.time() - 1, False, 0
        # Of a process that was killed; git itself may have gone on for a while.
        self._remove_partial(began, older=2 * self.fetch_seconds)
        self._remove_locks(older=2 * self.fetch_seconds)
        try:
            await git(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                *([] if depth is None else [f"--depth={depth}"]),
                "--end-of-options",
                login.url,
                *refspecs,
                git_dir=self.path,
                environment=login.environment(),
                timeout=self.fetch_seconds,
            )
            finished = True
        except TookTooLong as error:
            removed = self._remove_partial(began)
            raise _too_long(removed, self.fetch_seconds) from error
        except WorktreeError as error:
            raise _sorted(error) from error
        finally:
            if not finished:
                removed += self._remove_partial(began)
                logger.warning(
                    "fetch failed, %d bytes of half packs removed",
                    removed,
                    extra={"action": "fetch_failed"},
                )


def _too_long(received: int, seconds: float) -> WorktreeError:
    """A fetch that its time limit ended: of something that came, more would not come in the same time."""
    if not received:
        return OriginUnavailable(f"GitHub sent nothing for {seconds:.0f} seconds")
    size = f"{received / 1e6:.0f} MB"
    return TookTooLong(
        f"fetching the repository took more than {seconds:.0f} seconds ({size} had arrived)"
    )


def _sorted(error: WorktreeError) -> WorktreeError:
    """A failed fetch as what it means."""
    match meaning_of(error.detail):
        case GitOutcome.passing if is_login_refused(error.detail):
            return LoginRefused("GitHub did not take this bot's token for a fetch", error.detail)
        case GitOutcome.passing:
            return OriginUnavailable("GitHub could not be reached for a fetch", error.detail)
        case GitOutcome.no_room:
            return OutOfDisk("there is no room left on the server's disk", error.detail)
        case GitOutcome.refused:
            reason = reason_of("", error.detail) or "no reason given"
            return WorktreeError(f"GitHub refused the fetch: {reason}", error.detail)
        case _ if fault := faults.named(error.detail):
            return WorktreeError(
                f"git refuses an object of the repository's history ({fault})", error.detail
            )
        case _ if "not our ref" in error.detail:
            return WorktreeError("GitHub does not have the commit any more", error.detail)
        case _:
            return error


def take_bytes_as_they_are(git_dir: Path) -> None:
    """Let no `.gitattributes` of a tree change or refuse content on its way in or out: no filter, no encoding."""
    (git_dir / "info").mkdir(exist_ok=True)
    own = b"* -text -filter -ident -export-ignore -export-subst !working-tree-encoding\n"
    put(git_dir / "info" / "attributes", own)


def put(file: Path, content: bytes) -> None:
    """Let a file of a git directory have this content, without a moment in which a git at work there finds less."""
    if file.exists() and file.read_bytes() == content:
        return
    new = file.with_name(f".{file.name}.{uuid4().hex[:8]}")
    new.write_bytes(content)
    new.replace(file)


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
