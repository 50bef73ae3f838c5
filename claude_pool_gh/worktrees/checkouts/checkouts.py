"""Lends the checkouts of one repository: shared to readers, one by one to writers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4
from weakref import WeakValueDictionary

from claude_pool_gh.pool.model.errors import SpoiledWorkspace
from claude_pool_gh.processes.launching import can_confine
from claude_pool_gh.storage.private import private_folder
from claude_pool_gh.worktrees.checkouts import lock
from claude_pool_gh.worktrees.checkouts.checkout import Checkout
from claude_pool_gh.worktrees.checkouts.disk_bound import TRASH, about, keep_below, note
from claude_pool_gh.worktrees.checkouts.listing import UnusableCheckout
from claude_pool_gh.worktrees.checkouts.lock import Lock
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.checkouts.sealed import SealedRecord
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

_NEW: Final = ".new-"


@dataclass(slots=True, weakref_slot=True)
class _Proof:
    """One walk that serves all readers who had ended before it began."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    next: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Checkouts:
    """The checkouts of one repository under `folder`, for any number of processes.

    How it works: the lock of a checkout is shared by its readers and exclusive to whoever changes it. What is lent is
    sealed; a list is written when a checkout is whole and removed before anything is changed, so after a death it is
    missing, and what it stood for is thrown away. No process number is kept: the kernel opens a dead holder's lock.
    """

    folder: Path
    mirror: Path
    most: int = 8
    """Checkouts that are kept for later; those that are lent come on top of it."""
    most_bytes: int = 20_000_000_000
    """Bytes of files in those that are kept."""
    most_bytes_of_all: int = 60_000_000_000
    """The same of all repositories beside this one in the folder above, together."""
    _building: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _proofs: WeakValueDictionary[Path, _Proof] = field(default_factory=WeakValueDictionary)

    @asynccontextmanager
    async def reading(self, commit: str) -> AsyncIterator[Path]:
        """The files of a commit, shared with whoever else reads them.

        Raises SpoiledWorkspace at the end where somebody has changed them meanwhile: what was read counts for nothing.
        Raises WorktreeError where they cannot be had.
        """
        checkout, held = await self._shared(commit)
        try:
            yield checkout.tree
            await self._prove(checkout)
        finally:
            held.release()
            self._evict()

    @asynccontextmanager
    async def writing(self, commit: str) -> AsyncIterator[Checkout]:
        """The files of a commit to be changed at will; afterwards nothing of that is left. Raises WorktreeError."""
        checkout, was, held = await self._exclusive(commit)
        checkout.unseal()
        whole = False
        try:
            yield checkout
            whole = True
        finally:
            giving_back = asyncio.create_task(
                self._give_back(checkout, was if whole else None, held)
            )
            await asyncio.shield(giving_back)

    def sweep(self) -> None:
        """Remove what was being made or thrown away when a process died."""
        for left in self.folder.glob(f"{_NEW}*"):
            if (held := lock.take(left, exclusive=True)) is not None or not (
                left / lock.LOCK
            ).exists():
                remove(left)
                if held is not None:
                    held.release()
        for left in self.folder.glob(f"{TRASH}*"):
            remove(left)

    async def _shared(self, commit: str) -> tuple[Checkout, Lock]:
        while True:
            if (found := self._sealed_at(commit)) is not None:
                return found
            # One builds, and the others find what it built.
            building = self._building.setdefault(commit, asyncio.Lock())
            async with building:
                if (found := self._sealed_at(commit)) is not None:
                    return found
                checkout, _, held = await self._exclusive(commit, seal=True)
                if held.share() and checkout.commit() == commit:
                    return checkout, held
                held.release()

    def _sealed_at(self, commit: str) -> tuple[Checkout, Lock] | None:
        """A whole checkout of the commit that nobody is changing."""
        for place in self._places():
            if about(place)[0] != commit or (held := lock.take(place, exclusive=False)) is None:
                continue
            checkout = Checkout(place, self.mirror)
            if checkout.commit() == commit:
                return checkout, held
            held.release()
        return None

    async def _exclusive(
        self, commit: str, *, seal: bool = False
    ) -> tuple[Checkout, SealedRecord, Lock]:
        """A checkout for nobody else at the commit, one that is near it moved there, or a new one.

        `seal`: it will be shared. A writer would only break the seal, and waits for no list to be written.
        """
        while (found := self._free(commit)) is not None:
            checkout, was, held = found
            try:
                # any agent may have been there since
                if not can_confine() and await checkout.odd(was):
                    raise UnusableCheckout("it was changed while nobody had it")  # noqa: TRY301 - one way to throw it away
                moved = await checkout.move(was, commit)
                note(checkout.place, moved)
                if seal:
                    await checkout.seal_as(moved)
            except (UnusableCheckout, WorktreeError, OSError) as error:
                self._condemn(checkout, held, str(error))
            except BaseException:
                self._condemn(checkout, held, "it was interrupted")
                raise
            else:
                return checkout, moved, held
        return await self._made(commit, seal=seal)

    def _free(self, commit: str) -> tuple[Checkout, SealedRecord, Lock] | None:
        """The whole checkout that nobody has and that was used longest ago; one of the same commit rather."""
        for place in sorted(
            self._places(), key=lambda each: (about(each)[0] != commit, lock.last_use(each))
        ):
            if (held := lock.take(place, exclusive=True)) is None:
                continue
            checkout = Checkout(place, self.mirror)
            if (was := checkout.sealed()) is not None:
                return checkout, was, held
            self._condemn(checkout, held, "its last user died")
        return None

    async def _made(self, commit: str, *, seal: bool) -> tuple[Checkout, SealedRecord, Lock]:
        name = uuid4().hex[:12]
        checkout = Checkout(self.folder / f"{_NEW}{name}", self.mirror)
        private_folder(self.folder)
        checkout.place.mkdir(mode=0o700)
        held = lock.make(checkout.place)
        try:
            was = await checkout.fill(commit)
            note(checkout.place, was)
            if seal:
                await checkout.seal_as(was)
            checkout.place.rename(self.folder / name)
        except BaseException:
            self._condemn(checkout, held, "it could not be made")
            raise
        named = Lock(self.folder / name, held.file)
        try:
            await asyncio.to_thread(keep_below, self.folder.parent, self.most_bytes_of_all)
        except BaseException:
            named.release()  # it is whole: the next one takes it
            raise
        return Checkout(self.folder / name, self.mirror), was, named

    async def _give_back(self, checkout: Checkout, was: SealedRecord | None, held: Lock) -> None:
        """Prove, mend and seal; a tree of which that cannot be said goes."""
        try:
            if was is None:
                raise UnusableCheckout("its run broke")  # noqa: TRY301 - one way to throw it away
            await checkout.mend(was)
        except (UnusableCheckout, WorktreeError, OSError) as error:
            self._condemn(checkout, held, str(error))
        else:
            held.release()
            self._evict()

    async def _prove(self, checkout: Checkout) -> None:
        """Show that the tree is as it was sealed, by a walk that begins after this call.

        Raises SpoiledWorkspace.
        """
        proof = self._proofs.setdefault(checkout.place, _Proof())
        if proof.next is None:
            proof.next = asyncio.create_task(self._walk(checkout, proof))
            proof.next.add_done_callback(lambda walk: walk.cancelled() or walk.exception())
        await asyncio.shield(proof.next)

    async def _walk(self, checkout: Checkout, proof: _Proof) -> None:
        async with proof.lock:
            proof.next = None  # whoever ends from now on needs a walk of its own
            # A lock of its own: whoever asked may be cancelled, and the next one must not change what is walked over.
            with lock.shared(checkout.place) as is_kept:
                what = await self._changed(checkout) if is_kept else "they are somebody else's now"
                if what and is_kept:
                    checkout.unseal()
            if what:
                logger.error(
                    "a shared checkout was changed while it was read: %s; its readers' results are dropped",
                    what,
                    extra={"action": "checkout_spoiled"},
                )
                raise SpoiledWorkspace(f"the files were changed while the run read them ({what})")

    async def _changed(self, checkout: Checkout) -> str:
        """The changes since the checkout was sealed, in words; empty where there are none."""
        try:
            was = await asyncio.to_thread(checkout.sealed)
            odd = {b""} if was is None else await checkout.odd(was)
        except (UnusableCheckout, WorktreeError, OSError) as error:
            return str(error)
        return f"{len(odd)} of its entries were changed" if odd else ""

    def _condemn(self, checkout: Checkout, held: Lock, why: str) -> None:
        """Throw a checkout away: out of sight now, off the disk in the background."""
        logger.info("a checkout is thrown away: %s", why, extra={"action": "checkout_condemned"})
        trash = self.folder / f"{TRASH}{uuid4().hex[:12]}"
        with suppress(OSError):
            checkout.place.rename(trash)
        held.release()
        with suppress(RuntimeError):  # no loop: the next start sweeps
            asyncio.get_running_loop().run_in_executor(None, remove, trash)

    def _evict(self) -> None:
        """Keep to the bounds: of the checkouts that nobody has, those go that were used longest ago."""
        places = sorted(self._places(), key=lock.last_use)
        sizes = {place: about(place)[1] for place in places}
        for place in places:
            if len(sizes) <= self.most and sum(sizes.values()) <= self.most_bytes:
                return
            if (held := lock.take(place, exclusive=True)) is not None:
                self._condemn(Checkout(place, self.mirror), held, "there are enough others")
                del sizes[place]

    def _places(self) -> Iterator[Path]:
        for place in self.folder.glob("*") if self.folder.is_dir() else ():
            if not place.name.startswith("."):
                yield place
