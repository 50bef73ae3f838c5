"""Deletes beside the work what is older than the settings say: some rows a transaction, with a pause after each."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final, TypeVar

from claude_pool_gh.conversation.caps import REPOSITORY
from claude_pool_gh.github import retention as github_rows
from claude_pool_gh.pool import pruning
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.pool.store import chains, lookup
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.piecemeal import Kind, delete_all
from claude_pool_gh.worktrees.leases import Worktrees

logger = logging.getLogger(__name__)

FIRST_SECONDS: Final = 60.0
"""After the start: first comes what was left unfinished."""
EVERY_SECONDS: Final = 3_600.0
PAUSE_SECONDS: Final = 0.2
SKEW_SECONDS: Final = 3_600.0
"""By which the clock may differ from GitHub's: one that is a month ahead would make everything a month old."""
_DAY: Final = 86_400
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The amount that was deleted in one round."""

    transcripts: int = 0
    patches: int = 0
    chains: int = 0
    trimmed: int = 0
    """Chains that lost what their steps only passed on."""
    plans: int = 0
    """Of different steps, those that no chain has any more."""
    deliveries: int = 0
    commands: int = 0
    effects: int = 0
    texts: int = 0
    """Of effects that stand on GitHub."""
    commits: int = 0
    repositories: int = 0


def kinds_of(keep: Settings, now_ms: int) -> Iterator[Kind]:
    """Kinds that are deleted by the settings, in their order: chains come before what only they refer to."""
    kept_for = PoolRetention(
        transcripts=keep.keep_transcripts_days,
        patches=keep.keep_patches_days,
        chains=keep.keep_chains_days,
    )
    yield from pruning.kinds_of(kept_for, chains.MAIN, now_ms)
    of_github = (
        ("deliveries", keep.keep_deliveries_days, github_rows.forget_deliveries),
        ("commands", keep.keep_deliveries_days, github_rows.forget_answered),
        ("commands", keep.keep_chains_days, github_rows.forget_commands),
        ("effects", keep.keep_effects_days, github_rows.forget_effects),
        ("texts", keep.keep_transcripts_days, github_rows.forget_texts),
    )
    for name, days, forget in of_github:
        if days is not None:
            yield Kind(name, partial(forget, before_ms=now_ms - int(days * _DAY * 1000)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Prunes one process's database and state folder."""

    settings: Settings
    database: Database
    clock: Clock
    worktrees: Worktrees
    pause_secs: float = PAUSE_SECONDS
    clock_skew: Callable[[], float | None] = lambda: 0.0
    """Seconds by which the clock differs from GitHub's; None where that is not known."""
    ask_the_time: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0)
    """Asks GitHub, so that it is known."""

    async def prune_for_ever(self) -> None:
        """One round soon, and one an hour."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.prune()
            except Exception:
                logger.exception("not pruned", extra={"action": "prune_failed"})
            await asyncio.sleep(EVERY_SECONDS)

    async def prune(self) -> Deleted:
        """One round: everything that is too old by now. What fails keeps no other part; the first error is raised."""
        if (skew := await self._skew()) is None:
            logger.info(
                "nothing is deleted until GitHub has told what time it is",
                extra={"action": "prune_waits"},
            )
            return Deleted()
        if skew > SKEW_SECONDS:
            do = "set this machine's clock, and let it be kept by NTP"
            logger.error(
                "nothing is deleted while the clock is %.0f seconds away from GitHub's",
                skew,
                extra={"action": "prune_waits", "do": do},
            )
            return Deleted()
        failed: list[Exception] = []

        async def part(act: Awaitable[T], nothing: T) -> T:
            try:
                return await act
            except Exception as error:  # noqa: BLE001 - raised at the end
                failed.append(error)
                return nothing

        kinds = kinds_of(self.settings, self.clock.now_ms())
        rows = delete_all(self.database.transact, kinds, self.pause_secs)
        deleted = Deleted(
            **await part(rows, Counter[str]()),
            commits=await part(self._commits(), 0),
            repositories=await part(self._gone(), 0),
        )
        told = {name: count for name, count in asdict(deleted).items() if count}
        if told:
            logger.info("old records deleted", extra={"action": "pruned", **told})
        if failed:
            raise failed[0]
        return deleted

    async def _skew(self) -> float | None:
        """As GitHub's last answer told, and where that forbids to delete, as it tells now."""
        skew = self.clock_skew()
        if skew is None or skew > SKEW_SECONDS:
            await self.ask_the_time()
            skew = self.clock_skew()
        return skew

    async def _commits(self) -> int:
        days = self.settings.keep_commits_days
        return 0 if days is None else await self.worktrees.prune(days * _DAY)

    async def _gone(self) -> int:
        """Remove the files of repositories that the App was removed from, once nothing of theirs runs or waits."""

        def gone(tx: Transaction) -> list[int]:
            ids = github_rows.unreachable(tx)
            return [each for each in ids if not lookup.open_of(tx, REPOSITORY, [str(each)])]

        return await self.worktrees.remove_repositories(await self.database.read(gone))
