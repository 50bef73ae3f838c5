"""The facts of one process that monitors can ask for: whether it is ready, and its metrics."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from claude_pool_gh.github import backlog as github_backlog
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.records import Load
from claude_pool_gh.pool.store import backlog as pool_backlog
from claude_pool_gh.pool.store.cap_uses import cap_uses
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.metrics import Metrics, Moment
from claude_pool_gh.service.monitoring.readiness import Readiness
from claude_pool_gh.service.monitoring.repository_caps import RepositoryCaps
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.errors import DatabaseError

_READ_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Stored:
    """The facts that the database tells."""

    pool: pool_backlog.Backlog | None = None
    github: github_backlog.Backlog | None = None
    cap: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """The facts that monitors can ask of one process."""

    database: Database
    folder: Path
    load: Callable[[], Load]
    now_ms: Callable[[], int]
    pool_cap: int | None
    """The monthly cap on all spending, in microdollars; None: there is none."""
    github: GitHubWatch
    metrics: Metrics
    readiness: Readiness
    repository_caps: RepositoryCaps
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self) -> None:
        """From now on the process is not ready: it takes nothing more."""
        self.stopping.set()

    async def metrics_text(self) -> bytes:
        """The metrics of this moment, in Prometheus' form."""
        ready = not await self.faults()
        stored, repository_caps = await asyncio.gather(
            self._stored(), self.repository_caps.ratios()
        )
        moment = Moment(
            load=self.load(),
            ready=ready,
            pool=stored.pool,
            github=stored.github,
            pool_cap=stored.cap,
            repository_caps=repository_caps,
            free_bytes=shutil.disk_usage(self.folder).free,
            rate_limit=self.github.rate_limit,
            now_ms=self.now_ms(),
        )
        return self.metrics.text(moment)

    async def faults(self) -> tuple[str, ...]:
        """The reasons why it is not ready."""
        return ("it is stopping",) if self.stopping.is_set() else await self.readiness.faults()

    async def _stored(self) -> Stored:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return await self.database.read(
                    partial(_stored, cap=self.pool_cap, now_ms=self.now_ms())
                )
        except (DatabaseError, TimeoutError):
            return Stored()


def _stored(tx: Transaction, cap: int | None, now_ms: int) -> Stored:
    used = None
    if cap is not None:
        (use,) = cap_uses(tx, {}, Caps(task=0, chain=0, pool=cap), now_ms)
        used = use.used / use.limit
    return Stored(pool_backlog.backlog(tx), github_backlog.backlog(tx), used)
