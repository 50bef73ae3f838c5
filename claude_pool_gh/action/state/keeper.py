"""Keeps the state of one thread, or of one audit, for as long as its job lives: takes it, saves it, gives it back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from claude_pool_gh.action.state import audits, image
from claude_pool_gh.action.state.database_redactor import DatabaseRedactor
from claude_pool_gh.action.state.image import Damaged, Header, Span, Unreadable
from claude_pool_gh.action.state.ref import Ref, Refused, Stale
from claude_pool_gh.action.state.signing import NotSigned, StateKey
from claude_pool_gh.audits.outputs import issue
from claude_pool_gh.worktrees.errors import WorktreeError

logger = logging.getLogger(__name__)

_ALIVE_MS: Final = 90_000
_UNCLEAN: Final = 1
"""In place of the end of a job's life: it is over, and GitHub may know more than what it left."""
_RENEW_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 2.0


class TakenOver(Exception):
    """Another job serves this thread now."""


@dataclass(frozen=True, slots=True)
class Held:
    """The facts of a held state that a later process of the same job needs."""

    audit: str
    key: StateKey

    def note(self, database: Path) -> None:
        """Write it beside the database, which nobody else may read either. The job's last step removes it."""
        self._file(database).write_text(f"{self.audit}\n{self.key.secret.hex()}")

    @classmethod
    def noted(cls, database: Path) -> Self | None:
        """The facts that an earlier process has written; None where it held nothing."""
        file = cls._file(database)
        if not file.exists():
            return None
        audit, _, secret = file.read_text().partition("\n")
        return cls(audit, StateKey(bytes.fromhex(secret)))

    @staticmethod
    def _file(database: Path) -> Path:
        return database.with_suffix(".held")


@dataclass(slots=True)
class Keeper:
    """The state of one thread or audit, held by one job at a time."""

    ref: Ref
    books: Ref
    """The ledger of the whole repository."""
    database: Path
    repository: int
    thread: int
    """Of an audit: where this job works; 0 until that is known."""
    run: str
    veil: DatabaseRedactor = field(default_factory=DatabaseRedactor)
    """What the state is looked through with before it leaves."""
    audit: str = ""
    """The name of the audit whose state it is; "" for a thread's."""
    key: StateKey = field(default_factory=StateKey)
    """What the state is signed with."""
    since_ms: int = 0
    """When this job was asked for."""
    keeps: bool = False
    """Whether what this job does outlives it."""
    is_touched: bool = False
    """Whether this job may have written on GitHub, or in its database."""
    is_taken_over: bool = False
    """Whether another job serves the thread by now: what this one knows of it is over."""
    is_begun_anew: bool = False
    """Whether something stood there that could not be used."""
    is_other_key: bool = False
    """Whether that was a state, and not signed with this job's key."""
    why_not: str = ""
    unclean: bool = False
    """Whether the job before did not end by itself: GitHub may know more than its state."""
    renew_seconds: float = _RENEW_SECONDS
    wait_seconds: float = _WAIT_SECONDS
    """Before another try, or another look at who holds the thread."""
    _report: int = 0
    """The number of the audit's report issue, as its state says."""
    _runs: tuple[str, ...] = ()
    """The IDs of the audit's newest runs."""
    _spans: tuple[Span, ...] = ()
    """When earlier jobs of the audit served a thread."""
    _body: bytes = b""
    """What stands in the ref besides its header."""
    _seen: tuple[str, float] = ("", 0.0)
    """The state that was last looked at, and until when its job is taken to be alive."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _saving: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, is_due: Callable[[], bool]) -> None:
        """Hold the thread, once no living job does, and put its database in place. Without that, this job is alone."""
        try:
            await self.ref.open()
            while not await self._taken():
                if is_due():
                    return
                await asyncio.sleep(self.wait_seconds)
        except WorktreeError as error:
            self.why_not = f"the state of earlier jobs cannot be read: {error}"
        except Unreadable as error:
            self.why_not = f"the state of earlier jobs cannot be used: {error}"

    async def _taken(self) -> bool:
        """One try; False while another job lives. The first push shows whether the token may push at all."""
        header = self._known(await self.ref.read())
        if self._lives(header):
            logger.info("waiting for the job that serves this thread (%s)", header.run)
            return False
        arrived = self.database.with_suffix(".arrived")
        if self._body:
            try:
                # before the thread is held: what is newer is left as it stands
                image.unpack(self._body, arrived)
            except Damaged:
                header = self._afresh()
        if self.is_begun_anew:
            why = (
                "is not signed with this job's key" if self.is_other_key else "is no state of ours"
            )
            logger.warning("what stands in %s %s: it is begun anew", self.ref.name, why)
        self.unclean = header.until_ms != 0
        try:
            await self._write(until_ms=_soon())
        except Stale:
            arrived.unlink(missing_ok=True)
            return False
        except Refused as refused:
            # Who cannot hold the thread does not go on with what others began: they may be at it.
            arrived.unlink(missing_ok=True)
            self.why_not = f"its token may not push: {refused}"
            return True
        if self._body:
            arrived.replace(self.database)
        self.keeps = True
        Held(self.audit, self.key).note(self.database)
        return True

    def _known(self, content: bytes | None) -> Header:
        """The header of a state, with its body in hand.

        One that is none of ours, or of this thread, is as if none were.
        """
        self._body, self.is_begun_anew, self.is_other_key = b"", False, False
        if content is None:
            return Header(self.repository, self.thread, "", 0)
        try:
            header, self._body = self._parts(content)
        except (Damaged, NotSigned) as error:
            claimed = image.claimed_until(content)
            self.is_other_key = isinstance(error, NotSigned) and claimed is not None
            return self._afresh(claimed or 0)
        if not self._is_ours(header):
            return self._afresh(header.until_ms)
        self._report, self._runs, self._spans = header.report, header.runs, header.spans
        return header

    def _parts(self, content: bytes) -> tuple[Header, bytes]:
        """Header and body of what a job of this repository has left here. Raises as `image.parts`, and NotSigned."""
        return image.parts(self.key.verified(self.ref.name, content))

    def _is_ours(self, header: Header) -> bool:
        if (header.repository, header.audit) != (self.repository, self.audit):
            return False
        return bool(self.audit) or header.thread == self.thread

    def _afresh(self, claimed: int = _UNCLEAN) -> Header:
        """Begin with nothing, where GitHub may know more, once its job is over.

        `claimed`: until when that one says that it lives. It may have another key for good reasons, and is paid for.
        """
        self._body, self.is_begun_anew = b"", True
        return Header(self.repository, self.thread, "", max(claimed, _UNCLEAN))

    def _lives(self, header: Header) -> bool:
        """True where the job that holds the thread is alive: it renews within 90 seconds, whatever it promised."""
        now = time.time() * 1000
        if self.ref.commit != self._seen[0]:
            self._seen = self.ref.commit, min(header.until_ms, now + _ALIVE_MS)
        return self._seen[1] > now

    @property
    def is_restored(self) -> bool:
        """True where there is something of earlier jobs, with which an opened database goes on at once."""
        return self.keeps and bool(self._body)

    @property
    def is_behind(self) -> bool:
        """True where GitHub may know more than this job: its state may be of a lost job, deleted, or out of reach."""
        return self.unclean or not self.is_restored

    @property
    def is_in_report(self) -> bool:
        """True where this job works in its audit's report issue, as far as that is known yet."""
        return bool(self.audit) and self.thread == self._report

    def charge(self, budget: int) -> int:
        """See `image.charge`. Before the database is opened: what it holds goes on at once then."""
        left = self.keeps and self.database.exists()
        return image.charge(self.database, budget) if left else budget

    async def release(self) -> None:
        """Let the next job begin at once. For a job that ends before it has saved anything."""
        if self.keeps:
            with suppress(Stale, Refused, WorktreeError):
                await self._write(until_ms=_UNCLEAN if self.unclean or self.is_touched else 0)

    async def regain(self) -> bool:
        """Hold again what an earlier process of the same job held. For one that was killed. False: another has it."""
        held = Held.noted(self.database) is not None
        try:
            await self.ref.open()
            content = await self.ref.read()
            if content is None:
                return True  # somebody has deleted it, and no job has begun anew
            header, _ = self._parts(content)
            self.keeps = header.run == self.run
            self._report, self._runs = header.report, header.runs
            if header.spans:
                self._spans, self.since_ms = header.spans[:-1], header.spans[-1].since_ms
        except WorktreeError:
            return True  # nobody is known to have it
        except (Unreadable, Damaged, NotSigned):
            return not held  # not this job's, which had written its own there
        return self.keeps or not held

    async def save(self, *, ended: bool = False) -> None:
        """Push what is known now. Raises TakenOver, Refused, and WorktreeError where that may work later."""
        if not self.keeps:
            return
        try:
            await self._push(ended=ended)
        except Stale as stale:
            self.keeps, self.is_taken_over = False, True
            raise TakenOver from stale
        if ended:
            self.keeps = False

    async def _push(self, *, ended: bool) -> None:
        async with self._saving:
            self._body = await asyncio.to_thread(image.pack, self.database, self.veil)
            if self.audit:
                key = issue.key(self.repository, self.audit)
                self._report = await asyncio.to_thread(image.number_of, self.database, key)
                self._runs = await asyncio.to_thread(image.runs_of, self.database)
            writing = asyncio.create_task(self._write(until_ms=0 if ended else _soon()))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # a push that is given up may have happened all the same
                await asyncio.wait([writing])
                raise

    async def _write(self, *, until_ms: int) -> None:
        now_ms = int(time.time() * 1000)
        span = Span(self.thread, self.since_ms, now_ms if until_ms <= _UNCLEAN else 0)
        # what a lost job has left open has ended where this one begins
        before = [
            replace(each, ended_ms=each.ended_ms or max(self.since_ms, each.since_ms))
            for each in self._spans
        ]
        header = Header(
            self.repository,
            self.thread,
            self.run,
            until_ms,
            audit=self.audit,
            report=self._report,
            runs=self._runs,
            spans=(*before[1 - image.SPANS :], span),
        )
        whole = image.with_header(header, self._body)
        note = audits.note(self.ref.name, header, self.key) if self.audit else b""
        await self.ref.write(self.key.signed(self.ref.name, whole), note)

    def changed(self) -> None:
        """Something has happened that the next job must know."""
        self._changed.set()

    async def save_for_ever(self) -> None:
        """Save after each change, and often enough to be known as alive. Raises TakenOver, and nothing else.

        Whatever goes wrong is logged and tried again: a job that stops to say that it lives is taken for dead.
        """
        while self.keeps:
            try:
                async with asyncio.timeout(self.renew_seconds):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                await self.save()
            except TakenOver:
                raise
            except Refused as refused:
                logger.warning("not kept: %s", refused)
            except Exception as error:
                logger.warning("not kept, tried again: %s", error, exc_info=True)
                self._changed.set()
            await asyncio.sleep(self.wait_seconds)


def _soon() -> int:
    """Until when a job that says so now is taken to be alive."""
    return int(time.time() * 1000) + _ALIVE_MS
