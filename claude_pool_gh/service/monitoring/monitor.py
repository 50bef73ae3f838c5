"""Answers monitors: `/metrics`, `/healthz` and `/readyz`, on an address of their own where one is set."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web

from claude_pool_gh.github import backlog as github_backlog
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.records import Load
from claude_pool_gh.pool.store import backlog as pool_backlog
from claude_pool_gh.pool.store.cap_uses import cap_uses
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.metrics import Metrics, Moment
from claude_pool_gh.service.monitoring.readiness import Readiness
from claude_pool_gh.service.monitoring.repository_caps import RepositoryCaps
from claude_pool_gh.service.setting_types import host_and_port
from claude_pool_gh.storage import Database, Transaction
from claude_pool_gh.storage.errors import DatabaseError

logger = logging.getLogger(__name__)

_READ_SECONDS: Final = 3.0
_FORM: Final = "text/plain; version=0.0.4; charset=utf-8"


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

    async def metrics_answer(self, _request: web.Request) -> web.Response:
        """`/metrics`."""
        ready = not await self._faults()
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
        return web.Response(body=self.metrics.text(moment), headers={"Content-Type": _FORM})

    async def _faults(self) -> tuple[str, ...]:
        return ("it is stopping",) if self.stopping.is_set() else await self.readiness.faults()

    async def _stored(self) -> Stored:
        try:
            async with asyncio.timeout(_READ_SECONDS):
                return await self.database.read(
                    partial(_stored, cap=self.pool_cap, now_ms=self.now_ms())
                )
        except (DatabaseError, TimeoutError):
            return Stored()

    async def readyz(self, _request: web.Request) -> web.Response:
        """`/readyz`: 200, or 503 with a line for each reason."""
        faults = await self._faults()
        text = "".join(f"{each}\n" for each in faults) or "ready\n"
        return web.Response(status=503 if faults else 200, text=text)

    @asynccontextmanager
    async def served(self, host: str, port: int | None) -> AsyncIterator[None]:
        """Answer on an address while the block lasts; without a port only look for the log's sake.

        Raises OSError where it cannot be listened on.
        """
        looking = asyncio.create_task(self.readiness.look_for_ever())
        app = web.Application()
        app.router.add_get("/metrics", self.metrics_answer)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/healthz", healthz)
        runner = web.AppRunner(app, access_log=None)
        try:
            await runner.setup()
            if port is not None:
                await web.TCPSite(runner, host, port).start()
                where = f"http://{host_and_port(*runner.addresses[0][:2])}/metrics"
                logger.info("metrics at %s", where, extra={"action": "metrics"})
            yield
        finally:
            looking.cancel()
            await runner.cleanup()


async def healthz(_request: web.Request) -> web.Response:
    """`/healthz`: the process answers."""
    return web.Response(text="ok\n")


def _stored(tx: Transaction, cap: int | None, now_ms: int) -> Stored:
    used = None
    if cap is not None:
        (use,) = cap_uses(tx, {}, Caps(task=0, chain=0, pool=cap), now_ms)
        used = use.used / use.limit
    return Stored(pool_backlog.backlog(tx), github_backlog.backlog(tx), used)
