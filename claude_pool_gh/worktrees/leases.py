"""Lends a commit's files to runs: shared by those that only read, one's own for each that may write."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.ports import CapturedChange, WorkspaceRequest
from claude_pool_gh.storage import owners
from claude_pool_gh.storage.owners import own_mark
from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.storage.retry_log import log_retries
from claude_pool_gh.worktrees import lfs, pruning
from claude_pool_gh.worktrees.answers import GitOutcome, meaning_of
from claude_pool_gh.worktrees.checkouts.checkouts import Checkouts
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import LoginRefused, OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.mirror import Mirror, checked_commit, take_bytes_as_they_are
from claude_pool_gh.worktrees.push import push
from claude_pool_gh.worktrees.snapshot import (
    CAPTURING,
    KEPT_UNDER,
    InitialState,
    Signature,
    begun,
    capture,
    commit_as,
    restore,
)

logger = logging.getLogger(__name__)
_OLD_SECONDS: Final = 86_400

Logins = Callable[[int, bool], Awaitable[Credentials]]
"""Gives credentials and clone URL for a repository id. True: those that it gave last were refused.

Raises OriginUnavailable, WorktreeError.
"""


class NotFetched(WorktreeError, NoWorkspace):
    """The commit that a run was to begin with could not be brought here. `what` is fit for a comment."""


@dataclass(frozen=True, slots=True)
class Lease:
    """One leased worktree."""

    folder: Path
    began: InitialState
    run_id: str
    _mirror: Path

    async def capture(self) -> CapturedChange | None:
        """The difference from the base commit, as a commit in the mirror; None when nothing ever differed."""
        try:
            kept = await capture(self._mirror, self.folder, self.began)
        except WorktreeError as error:
            logger.exception("not captured", extra={"action": "not_captured", "run": self.run_id})
            full = meaning_of(error.detail) is GitOutcome.no_room
            why = (
                "the server's disk is full; the operator of this bot must act"
                if full
                else error.what
            )
            raise NoWorkspace(f"what the run changed cannot be kept: {why}") from error
        if kept is None:
            return None
        return CapturedChange(
            base=self.began.base, commit=kept.commit, patch=kept.patch, digest=kept.digest
        )


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """Files that a run shares with others who only read."""

    folder: Path
    start: CapturedChange | None

    async def capture(self) -> CapturedChange | None:
        """The work that the run began with: there is nothing to keep beyond it."""
        return self.start


@dataclass(frozen=True, slots=True)
class Worktrees:
    """Mirrors and leases under one state folder."""

    state: Path
    login: Logins
    tries: int = 7
    """Of a fetch for a run, in two to three minutes."""
    is_shallow: bool = False
    """Whether commits come without their history, for a machine that starts with nothing and is thrown away."""
    pause: float = 2.0
    """Seconds after the first of them; doubled after each further one."""
    _mirrors: dict[int, Mirror] = field(default_factory=dict)
    _checkouts: dict[int, Checkouts] = field(default_factory=dict)

    def mirror(self, repository_id: int) -> Mirror:
        """The mirror of a repository; it may not have been fetched yet."""
        path = self.state / "mirrors" / f"{int(repository_id)}.git"
        return self._mirrors.setdefault(repository_id, Mirror(path))

    async def fetch(
        self, repository_id: int, wanted: list[str], refs: list[str], *, history: int = 1
    ) -> Path:
        """Bring commits into a repository's mirror and return its path. Warm calls start no fetch.

        `history`: commits of each line that come where histories are cut; what came with fewer is deepened.
        """
        mirror = self.mirror(repository_id)
        depth = history if self.is_shallow else None
        present = mirror.path.exists() and all(
            [
                await mirror.has(commit) and not await mirror.is_cut(commit, depth)
                for commit in wanted
            ]
        )
        fresh = False
        while not present:
            try:
                login = await self.login(repository_id, fresh)
                await mirror.fetch(login, wanted, refs, depth=depth)
                present = True
            except LoginRefused:
                if fresh:
                    raise
                fresh = True
        return mirror.path

    @property
    def folder(self) -> None:
        """None: a plan names its repository, and any worker can fetch that."""
        return None

    async def pinned(self, isolation: Isolation) -> WorkspaceSpec:
        """Always refused: the plan of a repository's chain says itself which commit it is about."""
        raise NoWorkspace(f"which repository? {isolation} alone does not say")

    @asynccontextmanager
    async def lease(self, wanted: WorkspaceRequest) -> AsyncIterator[Lease | ReadOnly]:
        """The files of the repository at the commit that the plan names.

        Runs that only read share them; for one that writes they are its own, and afterwards nothing of it is left.
        """
        spec = wanted.spec
        if spec.repository_id is None or spec.commit is None:
            raise NoWorkspace("the plan names no repository and commit")
        repository_id, base = spec.repository_id, checked_commit(spec.commit)
        mirror = await self._fetch_patiently(repository_id, [base], list(spec.refs))
        start = base if wanted.start is None else await restore(mirror, wanted.start)
        checkouts = self._checkouts_of(repository_id)
        if wanted.writes:
            async with checkouts.writing(start) as checkout:
                with begun(base, start, checkout.index, own_git=False) as began:
                    yield Lease(checkout.tree, began, wanted.run_id, mirror)
        else:
            async with checkouts.reading(start) as tree:
                yield ReadOnly(tree, wanted.start)

    def _checkouts_of(self, repository_id: int) -> Checkouts:
        """The checkouts of a repository, by this process and others."""
        folder = self.state / "checkouts" / str(int(repository_id))
        made = Checkouts(folder, self.mirror(repository_id).path)
        return self._checkouts.setdefault(repository_id, made)

    async def remove_checkouts(self, repository_id: int) -> None:
        """Remove the checkouts of a repository at which nobody works any more; its mirror stays."""
        self._checkouts.pop(repository_id, None)
        await asyncio.to_thread(remove, self.state / "checkouts" / str(int(repository_id)))

    async def _fetch_patiently(
        self, repository_id: int, wanted: list[str], refs: list[str]
    ) -> Path:
        """`fetch`, again after faults that pass: a short outage ends no run."""
        import stamina  # noqa: PLC0415 - a script whose agents share one folder fetches nothing

        log_retries()
        patience = stamina.AsyncRetryingCaller(
            attempts=self.tries,
            timeout=None,
            wait_initial=self.pause,
            wait_max=60.0,
            wait_jitter=self.pause / 4,
        )
        try:
            return await patience(OriginUnavailable, self.fetch, repository_id, wanted, refs)
        except OriginUnavailable as error:
            raise NotFetched(f"{error.what} ({self.tries} tries)") from error
        except WorktreeError as error:
            raise NotFetched(error.what) from error

    async def commit(
        self, repository_id: int, work: CapturedChange, parent: str, signature: Signature
    ) -> str:
        """The commit that captured work becomes. The parent must have been fetched; made again, it has the same id."""
        mirror = self.mirror(repository_id).path
        return await commit_as(mirror, await restore(mirror, work), parent, signature)

    async def plain_bytes_in_lfs(
        self, repository_id: int, parent: str, commit: str
    ) -> tuple[str, ...]:
        """The files of a commit that belong to Git LFS and hold plain bytes. Both commits must be in the mirror."""
        return await lfs.plain_bytes(self.mirror(repository_id).path, parent, commit)

    @asynccontextmanager
    async def archive(self, repository_id: int, commit: str) -> AsyncIterator[Path]:
        """A commit's files as a tar archive, gone at the end. The commit must be in the mirror."""
        place = self.state / "leases" / own_mark()
        private_folder(place)
        with tempfile.NamedTemporaryFile(dir=place, prefix="archive-", suffix=".tar") as file:
            write = ("archive", "--format=tar", f"--output={file.name}", checked_commit(commit))
            await git(*write, git_dir=self.mirror(repository_id).path, timeout=300)
            yield Path(file.name)

    async def push(
        self, repository_id: int, login: Credentials, commit: str, ref: str, expected: str | None
    ) -> None:
        """Move a branch of the origin to a commit. Raises PushRefused, WorktreeError."""
        await push(self.mirror(repository_id).path, login, commit, ref, expected)

    async def prune(self, older_than_secs: float) -> int:
        """Remove the refs of commits that were fetched so long ago; returns how many. See `pruning`."""
        removed = 0
        for path in sorted((self.state / "mirrors").glob("*.git")):
            if path.stem.isdecimal():
                try:
                    removed += await pruning.prune_refs(
                        self.mirror(int(path.stem)), older_than_secs
                    )
                except (OSError, WorktreeError) as error:  # it costs this mirror only
                    logger.warning(
                        "%s not pruned: %s", path, error, extra={"action": "mirror_not_pruned"}
                    )
        return removed

    async def remove_unused(self, kept: Collection[int]) -> int:
        """Remove mirrors of other repositories of which `prune` has left nothing; returns how many."""
        unused = await asyncio.to_thread(pruning.unused, self.state)
        return await self.remove_repositories([each for each in unused if each not in kept])

    async def remove_repositories(self, ids: Collection[int]) -> int:
        """Remove mirrors and checkouts of repositories that nobody works in; returns how many had any."""
        for each in ids:
            self._mirrors.pop(each, None)
            self._checkouts.pop(each, None)
        return await asyncio.to_thread(pruning.remove_repositories, self.state, ids)

    def sweep(self) -> None:
        """Remove what dead processes left behind. Only at start, before the first lease."""
        for each in (self.state / "leases", self.state / "mirrors"):
            private_folder(each)
            owners.hold(each)
        sweep_leases(self.state / "leases")
        for folder in (self.state / "checkouts").glob("*"):
            if folder.name.isdecimal():
                self._checkouts_of(int(folder.name)).sweep()
        # Versions before this one did not say whose they are. None of theirs is at work for so long.
        for left in (self.state / "mirrors").glob(f"{CAPTURING}*"):
            if "-" in left.name.removeprefix(CAPTURING):
                continue
            with suppress(FileNotFoundError):  # its worker is done with it
                if left.stat().st_mtime < time.time() - _OLD_SECONDS:
                    remove(left)
        captures = (self.state / "mirrors").glob(f"{CAPTURING}*-*")
        owners.sweep(captures, lambda folder: folder.name.split("-")[1], remove=remove)
        for path in (self.state / "mirrors").glob("*.git"):
            Mirror(path).unlock()
            remove(path / KEPT_UNDER)  # versions before this one left a ref there for each run


@asynccontextmanager
async def lend(
    mirror: Path, leases: Path, base: str, wanted: WorkspaceRequest
) -> AsyncIterator[Lease]:
    """A worktree of the mirror at `base`, or at the work of an earlier step on it; removed at the end."""
    place = leases / own_mark() / wanted.run_id
    try:
        start = base if wanted.start is None else await restore(mirror, wanted.start)
        own = await _check_out(mirror, place, start)
        with begun(base, start, own / "worktrees" / "tree" / "index") as began:
            yield Lease(place / "tree", began, wanted.run_id, mirror)
    finally:
        await asyncio.shield(asyncio.to_thread(remove, place))


def sweep_leases(leases: Path) -> None:
    """Remove what dead processes left behind."""
    owners.sweep(leases.glob("*"), remove=remove)


async def _check_out(mirror: Path, place: Path, commit: str) -> Path:
    """A throw-away bare repository that borrows the mirror's objects, and a worktree of that. Returns the former.

    The mirror itself has no worktrees: parallel adds would race for its `config.lock`, and an agent could
    reach its configuration through the worktree's `.git` file.
    """
    remove(place)
    private_folder(place)
    own = place / "git"
    (own / "refs").mkdir(parents=True)
    (own / "objects" / "info").mkdir(parents=True)
    (own / "objects" / "info" / "alternates").write_text(f"{mirror / 'objects'}\n")
    (own / "HEAD").write_text("ref: refs/heads/none\n")
    (own / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
    take_bytes_as_they_are(own)
    await git(
        "worktree", "add", "--quiet", "--detach", place / "tree", commit, git_dir=own, timeout=300
    )
    return own
