"""Worktrees of a repository on this machine, for scripts: agents work in its own folder only where told to."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.errors import NoWorkspace
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.ports import CapturedChange, Workspace, WorkspaceRequest
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.store import places
from claude_pool_gh.storage.owners import own_mark
from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.worktrees import foreign
from claude_pool_gh.worktrees.checkouts.checkouts import Checkouts
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.leases import Lease, ReadOnly, lend, sweep_leases
from claude_pool_gh.worktrees.mirror import checked_commit, put, take_bytes_as_they_are
from claude_pool_gh.worktrees.snapshot import KEPT_UNDER, begun, restore

_FROM_DISK: Final = {"GIT_ALLOW_PROTOCOL": "file"}


@dataclass(frozen=True, slots=True)
class LocalRepository:
    """Lends the repository's folder itself, worktrees of it, or clones.

    Runs that only read share one checkout per commit, which has no git directory. A worktree or clone of one that
    writes has one, for the shell of an agent that is given one.

    What a task changes in a worktree or clone is kept as a commit under `refs/pool/snapshots/` of the repository, named
    after its newest run. Nothing else of the repository is touched.
    """

    folder: Path
    """The repository's working folder."""
    base_dir: Path
    """Where worktrees and clones are made, unless `PoolConfig.worktree_base_dir` says otherwise."""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _swept: set[Path] = field(default_factory=set)
    _checkouts: dict[Path, Checkouts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folder's name absolute: a plan outlives the process, and its working folder."""
        object.__setattr__(self, "folder", self.folder.resolve())

    async def pinned(self, isolation: Isolation) -> WorkspaceSpec:
        """The folder, and the commit that is checked out now: a chain starts from it however long it waits."""
        if isolation is Isolation.none:
            return WorkspaceSpec(isolation=isolation, folder=str(self.folder))
        try:
            own, _ = await git_dirs(self.folder)
            found = await foreign.ask("rev-parse", "--verify", "HEAD^{commit}", git_dir=own)
        except WorktreeError as error:
            raise NoWorkspace(
                f"isolation {isolation.value!r} needs a git repository with a commit: {error.detail or error}"
            ) from error
        commit = found.decode().strip()
        return WorkspaceSpec(isolation=isolation, folder=str(self.folder), commit=commit)

    async def git_dir(self) -> Path:
        """A bare repository of our own with all that the folder's has. Raises WorktreeError where that is none."""
        _, common = await git_dirs(self.folder)
        async with self._lock:
            return await store_in(self.base_dir.absolute(), common)

    @asynccontextmanager
    async def lease(self, wanted: WorkspaceRequest) -> AsyncIterator[Workspace]:
        """The folder that the plan asks for; a worktree or clone is removed at the end."""
        isolation = wanted.spec.isolation
        if isolation is None:
            raise NoWorkspace("the plan does not say how its runs are kept apart in this folder")
        places.check(wanted.spec, self.folder)
        if isolation is Isolation.none:
            yield SharedFolder(self.folder)
            return
        base, leases = (
            checked_commit(wanted.spec.commit or ""),
            (wanted.base_dir or self.base_dir).absolute(),
        )
        try:
            _, common = await git_dirs(self.folder)
            async with self._lock:
                # what earlier processes left there, once before the first lease
                if leases not in self._swept:
                    self._swept.add(leases)
                    sweep_leases(leases)
                store = await store_in(leases, common)
            if isolation is Isolation.worktree and not wanted.writes:
                start = base if wanted.start is None else await restore(store, wanted.start)
                async with self._checkouts_of(store).reading(start) as tree:
                    yield ReadOnly(tree, wanted.start)
                return
            lending = lend if isolation is Isolation.worktree else _lend_clone
            async with lending(store, leases, base, wanted) as lease:
                yield _Kept(lease, store, common, base)
        except WorktreeError as error:
            raise NoWorkspace(f"no {isolation.value} could be made: {error}") from error

    def _checkouts_of(self, store: Path) -> Checkouts:
        if (known := self._checkouts.get(store)) is None:
            known = self._checkouts[store] = Checkouts(
                store.with_name(f"checkouts-{store.stem}"), store
            )
            known.sweep()
        return known


@dataclass(frozen=True, slots=True)
class _Kept:
    """A leased folder whose captured work is brought into the repository that the user looks at."""

    lease: Lease
    store: Path
    repository: Path
    base: str
    """A commit that the repository has."""

    @property
    def folder(self) -> Path:
        return self.lease.folder

    async def capture(self) -> CapturedChange | None:
        work = await self.lease.capture()
        if work is not None:
            await self._bring(work.commit)
            kept = f"{KEPT_UNDER}/{self.lease.run_id}"
            await foreign.ask("update-ref", kept, work.commit, git_dir=self.repository)
            await self._drop_earlier_attempts()
        return work

    async def _bring(self, commit: str) -> None:
        """Write the objects of a commit into the repository, with the store's configuration.

        A fetch or a push would run programs that the repository's own may name.
        """
        wanted = f"{checked_commit(commit)}\n^{self.base}\n".encode()
        pack = ("pack-objects", "--quiet", "--revs", "--stdout")
        packed = await git(*pack, git_dir=self.store, stdin=wanted, timeout=300)
        there = {"GIT_OBJECT_DIRECTORY": str(self.repository / "objects")}
        unpack = ("unpack-objects", "-q")
        await git(*unpack, git_dir=self.store, stdin=packed, environment=there, timeout=300)

    async def _drop_earlier_attempts(self) -> None:
        """Drop the work that this attempt supersedes: of each task the newest is kept."""
        task, _, attempt = self.lease.run_id.rpartition(".")
        for earlier in range(1, int(attempt) if attempt.isdecimal() else 1):
            with suppress(WorktreeError):  # most have left nothing
                superseded = f"{KEPT_UNDER}/{task}.{earlier}"
                await foreign.ask("update-ref", "-d", superseded, git_dir=self.repository)


async def git_dirs(folder: Path) -> tuple[Path, Path]:
    """The git directory of a working folder, and the one that all worktrees of its repository share."""
    # Git says them as seen from the folder; to say them in full is an option of git 2.31, and 2.30 is enough for us.
    said = await foreign.ask("rev-parse", "--git-dir", "--git-common-dir", folder=folder.absolute())
    own, common = ((folder / os.fsdecode(line)).resolve() for line in said.splitlines())
    return own, common


async def store_in(leases: Path, repository: Path) -> Path:
    """A bare repository of our own that borrows the user's objects: what is captured is written here first."""
    store = leases / f"store-{hashlib.sha256(os.fsencode(repository)).hexdigest()[:16]}.git"
    if not (store / "HEAD").exists():
        private_folder(store)
        await git("init", "--quiet", "--bare", "--template=", store)
        await git("config", "uploadpack.allowAnySHA1InWant", "true", git_dir=store)
    (store / "objects" / "info").mkdir(exist_ok=True)
    put(store / "objects" / "info" / "alternates", os.fsencode(f"{repository / 'objects'}\n"))
    if (cut_off := repository / "shallow").exists():  # where its history ends, ours ends too
        put(store / "shallow", cut_off.read_bytes())
    else:
        (store / "shallow").unlink(missing_ok=True)
    take_bytes_as_they_are(store)
    return store


@asynccontextmanager
async def _lend_clone(
    store: Path, leases: Path, base: str, wanted: WorkspaceRequest
) -> AsyncIterator[Lease]:
    """A repository with objects of its own, checked out at `base` or at the work of an earlier step on it."""
    place = leases / own_mark() / wanted.run_id
    tree = place / "tree"
    try:
        start = base if wanted.start is None else await restore(store, wanted.start)
        remove(place)
        private_folder(place)
        await git("init", "--quiet", "--template=", "--initial-branch=pool", tree)
        own = tree / ".git"
        take_bytes_as_they_are(own)
        fetch = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--update-head-ok",
            "--update-shallow",
            "--end-of-options",
        )
        await git(
            *fetch,
            store,
            f"{start}:refs/heads/pool",
            git_dir=own,
            environment=_FROM_DISK,
            timeout=300,
        )
        await git(
            "reset",
            "--hard",
            "--quiet",
            git_dir=own,
            environment={"GIT_WORK_TREE": str(tree)},
            timeout=300,
        )
        await _name_origin(own, store)
        with begun(base, start, own / "index") as began:
            yield Lease(tree, began, wanted.run_id, store)
    finally:
        await asyncio.shield(asyncio.to_thread(remove, place))


async def _name_origin(clone: Path, store: Path) -> None:
    """The clone's `origin` is where the repository came from, not a path on this machine."""
    repository = Path((store / "objects" / "info" / "alternates").read_text().strip()).parent
    with suppress(WorktreeError):
        url = (
            (await foreign.ask("config", "--get", "remote.origin.url", git_dir=repository))
            .decode()
            .strip()
        )
        if "://" in url and not url.startswith("file:"):
            await git("config", "remote.origin.url", url, git_dir=clone)
            await git(
                "config",
                "remote.origin.fetch",
                "+refs/heads/*:refs/remotes/origin/*",
                git_dir=clone,
            )
