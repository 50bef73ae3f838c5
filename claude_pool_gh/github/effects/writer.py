"""Writes what rows say should stand: one writer per installation, paced, most urgent first."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import lookups, pauses, rows, turns
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.listeners import Refused, Watched, unheard, unwatched
from claude_pool_gh.github.effects.rows import EffectRow, Unreadable
from claude_pool_gh.github.errors import (
    ForgeError,
    ForgeRefused,
    ForgeUnavailable,
    GivenUp,
    Moved,
    NotAdmitted,
    NotFound,
    NotOurs,
    OperatorNeeded,
    RateLimited,
    RefusedOnTheWay,
    Unfinished,
)
from claude_pool_gh.storage import Database, Transaction

logger = logging.getLogger(__name__)

_LOOK_AGAIN: Final = 5
"""How often, an interval apart, a thing made by an unanswered request is looked for before it is made again."""
_IDLE_SECONDS: Final = 15.0
_FAULTS_LIMIT: Final = 20
"""Errors of our own, or refusals on the way, after which an effect is given up. Outages have no such limit."""
_DO: Final = "give the App what it lacks, and accept that on each installation; `claude-pool-gh doctor` names it"


class Deleted(Exception):
    """An error for a thing on GitHub that is there no more; in words why."""


class Writer:
    """Runs between `start` and `close`. `wake` tells it that a row has changed."""

    def __init__(
        self,
        database: Database,
        forge: Forge,
        now_ms: Callable[[], int],
        interval: float,
        *,
        screen: Callable[[Effect], Effect] = lambda effect: effect,
        told: Callable[[Transaction, str], None] = lambda _tx, _chain: None,
        refused: Refused = unheard,
        look_first: bool = False,
    ) -> None:
        """`interval`: seconds between two writes of one installation, as GitHub asks of Apps.

        `screen` sees every effect in the moment it is written, and may put a harmless one in its place. `told` is told
        of the chain that shows what became of an effect, in the transaction that notes it. `refused` hears of each
        final refusal. `look_first`: the rows are older than GitHub, so that anything may have been made already.
        """
        self._look_first = look_first
        self._screen, self._told, self._heard = screen, told, refused
        self.watched: Watched = unwatched
        self._database = database
        self._forge = forge
        self._now_ms = now_ms
        self._interval = interval
        self._changed = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._began: dict[str, int] = {}
        """When each effect that is being written was taken."""
        self._limits = pauses.Limits()
        self._main: asyncio.Task[None] | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often each kind of effect was `written`, `refused` or `postponed`."""
        self.looked = time.monotonic()
        """When the rows were last looked at."""

    def start(self) -> None:
        """Begin with what an earlier process left unwritten."""
        self._main = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look at the rows again, soon. Safe to call from the loop only."""
        self._changed.set()

    def hurry(self) -> None:
        """Write what is left without a pause: this process has seconds to live."""
        self._interval = 0.0
        self.wake()

    async def close(self) -> None:
        """Stop; what is not written stays in its row."""
        tasks = [task for task in (self._main, *self._busy.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drained(self) -> None:
        """Wait until nothing is left to write."""
        while await self._database.read(lookups.unwritten):
            self.wake()
            await asyncio.sleep(0.05)

    async def _run(self) -> None:
        while True:
            try:
                await self._look_round()
            except Exception:
                # The database may be away for a moment; a writer that ended would never be missed.
                logger.exception("writer stumbled", extra={"action": "writer_stumbled"})
                await asyncio.sleep(1)

    async def _look_round(self) -> None:
        """Start to serve every installation with something due, then wait for the next."""
        self._changed.clear()
        now = self._now_ms()
        for installation in await self._database.read(partial(rows.installations_due, now_ms=now)):
            if installation not in self._busy and not self._limits.is_on(installation):
                self._busy[installation] = asyncio.create_task(self._serve(installation))
        pause = self._pause(await self._database.read(rows.earliest_due))
        self.looked = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._changed.wait()

    def _pause(self, next_due_ms: int | None) -> float:
        """Seconds until there is something to look for. What is being written now wakes us when it is done."""
        if next_due_ms is None:
            return _IDLE_SECONDS
        wait = (next_due_ms - self._now_ms()) / 1000
        return min(wait, _IDLE_SECONDS) if wait > 0 else 1.0

    async def _serve(self, installation: int) -> None:
        """Write an installation's effects until none is due."""
        wrote = False
        try:
            while (row := await self._next(installation)) is not None:
                wrote = True
                writing = self._skip(row) if isinstance(row, Unreadable) else self._write(row)
                await turns.while_ours(self._database, installation, self._now_ms, writing)
                self._began.pop(row.key, None)
                await asyncio.sleep(self._interval)
        except Exception:
            logger.exception(
                "writer failed", extra={"action": "writer_failed", "installation": installation}
            )
            await asyncio.sleep(1)
        finally:
            del self._busy[installation]
            if wrote:  # else another process has the turn: it is asked for again after a pause
                self.wake()

    async def _next(self, installation: int) -> EffectRow | Unreadable | None:
        if self._limits.is_on(installation):
            return None

        def claim(tx: Transaction) -> EffectRow | Unreadable | None:
            if not turns.take(tx, installation, self._now_ms()):
                return None
            return rows.next_due(tx, installation, self._now_ms())

        return await self._database.transact(claim)

    async def _write(self, row: EffectRow) -> None:
        """One effect; whatever happens becomes the row's new state."""
        began = self._began[row.key] = self._now_ms()
        try:
            row = replace(row, effect=self._screen(row.effect))
            remote_id = await self._perform(row)
        except Deleted as deleted:
            await self._gone(row, str(deleted))
        except Unfinished as unfinished:
            await self._unfinished(row, unfinished)
        except RateLimited as limit:
            await self._limited(row, limit)
        except (NotAdmitted, OperatorNeeded) as error:
            logger.error(  # noqa: TRY400 - the text says all; a traceback would hide it
                "the operator must act: %s",
                error,
                extra={**_names(row, "operator_needed"), "do": error.do},
            )
            why = "the operator of this bot must act; nothing can be done here"
            await self._later(row, self._backoff(row), why)
        except ForgeRefused as refusal:
            await self._refused(row, refusal)
        except RefusedOnTheWay as error:
            logger.warning("not written: %s", error, extra=_names(row, "effect_later"))
            why = "something between this server and GitHub refuses it"
            told = f"{why}; it is tried again"
            # The tries of an outage before it count for nothing: the last one has to have ended in the same way.
            again = row.tries >= _FAULTS_LIMIT and row.error == told
            others_pass = again and await self._is_reached(row)
            await self._try_again(row, why, told, last=others_pass)
        except ForgeUnavailable as error:
            logger.warning("not written yet: %s", error, extra=_names(row, "effect_later"))
            await self._later(row, self._backoff(row), "GitHub did not answer; it is tried again")
        except Exception as error:
            # around one effect: one that cannot be written must not stop the others
            logger.exception("effect failed", extra=_names(row, "effect_failed"))
            why = f"an error on our side ({type(error).__name__})"
            told = "an error on our side; it is tried again"
            last = row.tries >= _FAULTS_LIMIT and row.error == told
            await self._try_again(row, why, told, last=last)
        else:
            self._limits.over(row.repository.installation_id)
            await self._database.transact(lambda tx: self._note(tx, row, remote_id))
            self._count(row, "written")
            # A tracking comment is written anew every minute: what was there before is no news.
            logger.log(
                logging.INFO if row.first else logging.DEBUG,
                "effect written",
                extra={
                    **_names(row, "effect_written"),
                    "outcome": "made" if row.first else "updated",
                    "ms": self._now_ms() - began,
                },
            )

    def _count(self, row: EffectRow, outcome: str) -> None:
        self.counts[row.effect.kind, outcome] += 1
        now = self._now_ms()
        self.watched(row, outcome, self._began.get(row.key, now), now)

    def _note(self, tx: Transaction, row: EffectRow, remote_id: int | None) -> None:
        rows.written(tx, row, remote_id, self._now_ms())
        if row.chain_id is not None:
            self._told(tx, row.chain_id)

    async def _perform(self, row: EffectRow) -> int | None:
        if row.note:
            return await row.effect.make(self._forge, self._making(row))
        if row.remote_id is not None:
            return await self._change(row, row.remote_id)
        if row.attempted:
            found = await self._look(row)
            if found is not None:
                return await self._change(row, found)
        elif self._look_first and (found := await self._look_once(row)) is not None:
            return await self._change(row, found)
        await self._database.transact(lambda tx: rows.attempt(tx, row))
        return await row.effect.make(self._forge, self._making(row))

    def _making(self, row: EffectRow) -> Making:
        return replace(row.making, pace=self._interval)

    async def _change(self, row: EffectRow, remote_id: int) -> int:
        """Bring what stands to what is wanted; its id. Raises Deleted where it is gone and its repository is not."""
        try:
            return await row.effect.update(self._forge, self._making(row), remote_id)
        except NotFound as error:
            try:
                await self._forge.read(row.repository, "")
            except ForgeRefused as refusal:
                # the whole repository is out of reach: no person deleted anything
                raise ForgeUnavailable(f"{row.repository.full_name} is out of reach") from refusal
            raise Deleted(
                error.message if isinstance(error, Moved | NotOurs) else "deleted by a person"
            ) from error

    async def _look_once(self, row: EffectRow) -> int | None:
        """Look for what rows that are gone may have made. Whoever may not read that may write all the same."""
        try:
            return await row.effect.find(self._forge, self._making(row))
        except ForgeRefused:
            return None

    async def _look(self, row: EffectRow) -> int | None:
        """Look for what an attempt of unknown outcome made; it can take GitHub seconds to show it."""
        for again in range(_LOOK_AGAIN):
            found = await row.effect.find(self._forge, self._making(row))
            if found is not None:
                return found
            if again < _LOOK_AGAIN - 1:
                await asyncio.sleep(self._interval)
        return None

    async def _refused(self, row: EffectRow, refusal: ForgeRefused) -> None:
        """GitHub's final no, told at once. A token that is not accepted is not final: the next one may be."""
        lacks = bool(refusal.permissions) or "not accessible by" in refusal.message
        logger.log(
            logging.ERROR if lacks else logging.WARNING,
            "refused: %s",
            refusal,
            extra={
                **_names(row, "permission_missing" if lacks else "effect_refused"),
                "outcome": "refused",
                "do": _DO if lacks else "",
            },
        )
        if refusal.status == 401:
            await self._later(row, 60, "GitHub did not accept the bot's token; it is tried again")
        else:
            await self._give_up(row, refusal)

    async def _limited(self, row: EffectRow, limit: RateLimited) -> None:
        """GitHub asks to wait, and is heard: whoever goes on asking is shut out for longer."""
        due = self._limits.due_after(row.repository.installation_id, limit, self._now_ms())
        logger.warning("not written yet: %s", limit, extra=_names(row, "rate_limited"))
        self._count(row, "postponed")

        def wait(tx: Transaction) -> None:
            rows.postpone_all(tx, row.repository.installation_id, due)
            self._postpone(tx, row, due, "GitHub asks the bot to wait; it is tried again")

        await self._database.transact(wait)

    async def _is_reached(self, row: EffectRow) -> bool:
        """True where GitHub answers about the repository: only this one is refused, and no outage keeps it back."""
        try:
            await self._forge.read(row.repository, "")
        except ForgeError:
            return False
        return True

    async def _try_again(self, row: EffectRow, why: str, told: str, *, last: bool) -> None:
        if last:
            await self._give_up(row, GivenUp(why))
        else:
            await self._later(row, self._backoff(row), told)

    async def _later(self, row: EffectRow, seconds: float, why: str) -> None:
        """Once more after a while, however often: what is wanted is kept until GitHub takes it or says no."""
        due = self._due(pauses.shortened(seconds, row.tries))
        self._count(row, "postponed")
        await self._database.transact(lambda tx: self._postpone(tx, row, due, why))

    def _postpone(self, tx: Transaction, row: EffectRow, due_ms: int, why: str) -> None:
        rows.postpone(tx, row, due_ms, why)
        if row.chain_id is not None and row.error != why:
            self._told(tx, row.chain_id)

    def _backoff(self, row: EffectRow) -> float:
        return pauses.backoff(self._interval, row.tries)

    def _due(self, seconds: float) -> int:
        return pauses.due_after(self._now_ms(), seconds)

    async def _unfinished(self, row: EffectRow, unfinished: Unfinished) -> None:
        due = self._due(unfinished.seconds)
        await self._database.transact(lambda tx: rows.unfinished(tx, row, unfinished.note, due))

    async def _gone(self, row: EffectRow, why: str) -> None:
        def end(tx: Transaction) -> None:
            rows.gone(tx, row, why)
            if row.chain_id is not None:
                self._told(tx, row.chain_id)

        await self._database.transact(end)

    async def _give_up(self, row: EffectRow | Unreadable, refusal: ForgeRefused) -> None:
        """The only way to a row that is refused: whoever waits for what it was to show hears of it."""
        self._heard(row, refusal)

        def end(tx: Transaction) -> None:
            given_up = rows.refused(tx, row, str(refusal))
            instead = row.effect.instead() if isinstance(row, EffectRow) else None
            if given_up and isinstance(row, EffectRow) and instead is not None:
                rows.want(tx, f"{row.key}:instead", row.repository, instead, self._now_ms())
            if row.chain_id is not None:
                self._told(tx, row.chain_id)

        await self._database.transact(end)
        if isinstance(row, EffectRow):
            self._count(row, "refused")

    async def _skip(self, row: Unreadable) -> None:
        """One that cannot be read is given up: it costs itself, and not all that its installation still waits for."""
        logger.error(
            "effect cannot be read: %s",
            row.why,
            exc_info=row.why,
            extra={"action": "effect_unreadable", "key": row.key},
        )
        why = f"it cannot be read by this version ({type(row.why).__name__})"
        await self._give_up(row, GivenUp(why))


def _names(row: EffectRow, action: str) -> Mapping[str, str]:
    """The fields that every log line about an effect has; a chain's thread, verb and user are known by the chain."""
    number = getattr(row.effect, "number", None)
    where = row.repository.full_name + (f"#{number}" if isinstance(number, int) else "")
    chain = {"chain": row.chain_id} if row.chain_id else {}
    return {"action": action, "where": where, "kind": row.effect.kind, "key": row.key, **chain}
