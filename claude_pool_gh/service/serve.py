"""`claude-pool-gh serve`: the first door."""

from __future__ import annotations

import asyncio
import logging
import signal

from aiohttp import web

from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.service.bounds import IDLE_SECONDS, GuardedSite
from claude_pool_gh.service.house import open_house
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.web import WebhookApp

logger = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raises ValueError, saying what to set, where a server could not work or would not be safe."""
    check_secrets(settings.secrets)
    if not settings.app_id or not settings.key:
        raise ValueError("APP_ID and PRIVATE_KEY (or PRIVATE_KEY_FILE) of the GitHub App are not set")
    if not settings.anthropic_api_key.get_secret_value():
        raise ValueError("ANTHROPIC_API_KEY is not set")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    check(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings) as house:
        app = WebhookApp(house, settings)
        runner = web.AppRunner(
            app.application(),
            access_log=None,
            max_headers=64,
            lingering_time=2,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        await GuardedSite(runner, settings.host, settings.port, app.connections).start()
        host, port = runner.addresses[0][:2]
        # The one line that a starter may wait for.
        print(f"listening on http://{host}:{port}", flush=True)  # noqa: T201
        work = [house.serve_commands()]
        work += [house.catch_up_for_ever(settings.poll)] if settings.poll else []
        working = [asyncio.create_task(each) for each in work]
        house.wake()
        await stop.wait()
        logger.info("stopping", extra={"action": "stopping"})
        for each in working:
            each.cancel()
        await runner.cleanup()
