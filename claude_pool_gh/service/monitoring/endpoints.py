"""Answers monitors: `/metrics`, `/healthz` and `/readyz`, on an address of their own where one is set."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from aiohttp import web

from claude_pool_gh.service.monitoring.monitor import Monitor
from claude_pool_gh.service.setting_types import host_and_port

logger = logging.getLogger(__name__)

_FORM: Final = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def served(monitor: Monitor, host: str, port: int | None) -> AsyncIterator[None]:
    """Answer on an address while the block lasts; without a port only look for the log's sake.

    Raises OSError where it cannot be listened on.
    """
    looking = asyncio.create_task(monitor.readiness.look_for_ever())
    app = web.Application()
    app.router.add_get("/metrics", partial(_metrics, monitor))
    app.router.add_get("/readyz", partial(readyz, monitor))
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


async def _metrics(monitor: Monitor, _request: web.Request) -> web.Response:
    return web.Response(body=await monitor.metrics_text(), headers={"Content-Type": _FORM})


async def readyz(monitor: Monitor, _request: web.Request) -> web.Response:
    """`/readyz`: 200, or 503 with a line for each reason."""
    faults = await monitor.faults()
    text = "".join(f"{each}\n" for each in faults) or "ready\n"
    return web.Response(status=503 if faults else 200, text=text)


async def healthz(_request: web.Request) -> web.Response:
    """`/healthz`: the process answers."""
    return web.Response(text="ok\n")
