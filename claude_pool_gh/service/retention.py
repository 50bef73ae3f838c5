"""Deletes beside the work what is older than the settings say: some rows a transaction, with a pause after each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from claude_pool_gh.conversation.caps import REPOSITORY
from claude_pool_gh.github import retention as github_rows
from claude_pool_gh.pool.model.ports import Clock
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.pruning import PoolRetention
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.worktrees.leases import Worktrees

logger = logging.getLogger(__name__)

FIRST_SECONDS: Final = 60.0
"""After the start: first comes what was left unfinished."""
EVERY_SECONDS: Final = 3_600.0
PAUSE_SECONDS: Final = 0.2
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The amount that was deleted in one round."""

    transcripts: int = 0
    patches: int = 0
    chains: int = 0
    deliveries: int = 0
    commands: int = 0
    effects: int = 0
    commits: int = 0
    repositories: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Prunes one process's database and state folder."""

    settings: Settings
    database: Database
    clock: Clock
    pool: Pool
    worktrees: Worktrees
    pause_secs: float = PAUSE_SECONDS

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
        """One round: everything that is too old by now."""
        keep = self.settings
        pool = await self.pool.apply_retention(
            PoolRetention(
                transcripts=keep.keep_transcripts_days,
                patches=keep.keep_patches_days,
                chains=keep.keep_chains_days,
            ),
            pause_secs=self.pause_secs,
        )
        commits = keep.keep_commits_days
        deleted = Deleted(
            transcripts=pool.transcripts,
            patches=pool.patches,
            chains=pool.chains,
            deliveries=await self._rows(keep.keep_deliveries_days, github_rows.forget_deliveries),
            commands=await self._rows(keep.keep_deliveries_days, github_rows.forget_answered)
            + await self._rows(keep.keep_chains_days, github_rows.forget_commands),
            effects=await self._rows(keep.keep_effects_days, github_rows.forget_effects),
            commits=0 if commits is None else await self.worktrees.prune(commits * _DAY),
            repositories=await self._gone(),
        )
        told = {name: count for name, count in asdict(deleted).items() if count}
        if told:
            logger.info("old records deleted", extra={"action": "pruned", **told})
        return deleted

    async def _rows(self, days: float | None, step: Callable[[Transaction, int], int]) -> int:
        deleted = 0
        if days is None:
            return deleted
        before = self.clock.now_ms() - int(days * _DAY * 1000)
        while some := await self.database.transact(lambda tx: step(tx, before)):
            deleted += some
            await asyncio.sleep(self.pause_secs)
        return deleted

    async def _gone(self) -> int:
        """Remove the files of repositories that the App was removed from, once nothing of theirs runs or waits."""

        def gone(tx: Transaction) -> list[int]:
            ids = github_rows.unreachable(tx)
            return [each for each in ids if not lookup.open_of(tx, REPOSITORY, [str(each)])]

        return await self.worktrees.remove_repositories(await self.database.read(gone))
