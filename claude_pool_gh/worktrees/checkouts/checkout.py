"""One checkout: made, moved to another commit, shown to be untouched, mended, sealed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.checkouts import contents, sealed, traits
from claude_pool_gh.worktrees.checkouts.listing import (
    Listing,
    UnusableCheckout,
    check_way,
    differing,
    entry_of,
    is_folder,
    listed,
    relist,
    topmost,
)
from claude_pool_gh.worktrees.checkouts.lock import LOCK
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.checkouts.sealed import SealedRecord
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.mirror import checked_commit

logger = logging.getLogger(__name__)

_SECONDS: Final = 600.0
"""For a git command that writes a whole tree."""
_OURS: Final = frozenset({LOCK, "about", "index", "sealed", "tree"})
_TOO_MUCH: Final = 4
"""Where one entry in so many is odd, a new tree costs no more than mending."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """The parts of a checkout. Whoever calls its methods holds its lock, exclusively unless said otherwise."""

    place: Path
    mirror: Path

    @property
    def tree(self) -> Path:
        """The files: all of it that an agent sees."""
        return self.place / "tree"

    @property
    def index(self) -> Path:
        """Git's index of the tree, which git never refreshes: it knows what git wrote, and when."""
        return self.place / "index"

    @property
    def seal(self) -> Path:
        """The sealed list; absent while anything is being changed."""
        return self.place / "sealed"

    def sealed(self) -> SealedRecord | None:
        """The list, if this checkout is whole. A shared lock is enough."""
        return sealed.read(self.seal)

    def commit(self) -> str | None:
        """The commit of a whole checkout; None for any other. A shared lock is enough."""
        return sealed.commit_of(self.seal)

    async def fill(self, commit: str) -> SealedRecord:
        """Write a commit into the new, empty place; it is not sealed yet. Raises WorktreeError, OSError."""
        self.tree.mkdir(mode=0o700)
        await self._git("read-tree", "-m", "-u", checked_commit(commit))
        return self._as_is(commit, await asyncio.to_thread(listed, os.fsencode(self.tree)))

    async def move(self, was: SealedRecord, commit: str) -> SealedRecord:
        """Turn one commit into another by what differs; the seal is gone then. Raises WorktreeError, Condemned."""
        if was.commit == commit:
            return was
        self.unseal()
        between = (checked_commit(was.commit), checked_commit(commit))
        await self._git("read-tree", "-m", "-u", *between)
        names = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", *between)
        changed = [path for path in (await git(*names, git_dir=self.mirror)).split(b"\0") if path]
        entries = dict(was.entries)
        await asyncio.to_thread(relist, os.fsencode(self.tree), entries, changed)
        return self._as_is(commit, entries)

    async def seal_as(self, is_: SealedRecord) -> None:
        """Say that it is whole, and nobody is changing it. Raises OSError."""
        await asyncio.to_thread(sealed.write, self.seal, is_)

    def unseal(self) -> None:
        """Say that it is being changed: should this process die, nobody uses it again."""
        self.seal.unlink(missing_ok=True)

    async def mend(self, was: SealedRecord) -> None:
        """Undo everything that a run has left in the tree, and seal it again. Raises WorktreeError, Condemned."""
        self._check_place(was)
        odd = await self.odd(was)
        if not odd:
            await self.seal_as(self._as_is(was.commit, was.entries))
            return
        if b"" in odd or len(odd) * _TOO_MUCH > len(was.entries) + 100:
            raise UnusableCheckout(f"{len(odd)} of {len(was.entries)} entries differ")
        logger.debug("restoring %d entries", len(odd), extra={"action": "checkout_mended"})
        gone = await asyncio.to_thread(self._clear, odd, was.entries)
        files = [path for path in gone if not is_folder(was.entries[path])]
        write = ("checkout-index", "-f", "-u", "-q", "-z", "--stdin")
        await self._git(*write, stdin=b"".join(path + b"\0" for path in files))
        for path in gone:  # links to other repositories are empty folders
            if is_folder(was.entries[path]):
                check_way(self.tree, path)
                (self.tree / os.fsdecode(path)).mkdir(exist_ok=True)
        entries = {path: entry for path, entry in was.entries.items() if path not in odd}
        await asyncio.to_thread(relist, os.fsencode(self.tree), entries, {*gone, *odd})
        if entries.keys() != was.entries.keys():
            raise UnusableCheckout("it cannot be restored")
        await self.seal_as(self._as_is(was.commit, entries))

    async def odd(self, was: SealedRecord) -> set[bytes]:
        """Paths that are not as they were sealed. A shared lock is enough. Raises Condemned, WorktreeError."""
        now = await asyncio.to_thread(listed, os.fsencode(self.tree))
        found = await asyncio.to_thread(self._differing, was.entries, now)
        if await asyncio.to_thread(traits.are_times_believed, self.place.parent):
            return found
        ids = contents.ids_of(await self._git("ls-files", "-s", "-z"))
        return found | await asyncio.to_thread(contents.altered, self.tree, ids, found)

    def _differing(self, old: Listing, new: Listing) -> set[bytes]:
        usual = traits.traits_of_new_folder(self.place)

        def is_plain(path: bytes) -> bool:
            with suppress(OSError):
                return traits.traits_of(os.path.join(os.fsencode(self.tree), path)) == usual  # noqa: PTH118
            return False

        return differing(old, new, is_plain)

    def _clear(self, odd: Iterable[bytes], old: Listing) -> set[bytes]:
        """Remove what is odd; the sealed paths that are gone now. Raises UnusableCheckout."""
        roots = topmost(odd)
        for path in roots:
            check_way(self.tree, path)
            remove(self.tree / os.fsdecode(path))
        heads = tuple(path + b"/" for path in roots)
        return {path for path in old if path in roots or path.startswith(heads)}

    def _check_place(self, was: SealedRecord) -> None:
        """Raises Condemned where somebody was at what lies beside the tree, and is ours alone."""
        beside = {each.name for each in self.place.iterdir()}
        if not beside <= _OURS or entry_of(self.index) != was.index:
            raise UnusableCheckout("what lies beside the tree was changed")

    def _as_is(self, commit: str, entries: Listing) -> SealedRecord:
        return SealedRecord(commit, entry_of(self.index), entries)

    async def _git(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Git with our index and tree. Its directory is the mirror itself: no command here touches a ref of it."""
        own = {"GIT_WORK_TREE": str(self.tree), "GIT_INDEX_FILE": str(self.index)}
        return await git(
            *arguments, git_dir=self.mirror, environment=own, stdin=stdin, timeout=_SECONDS
        )
