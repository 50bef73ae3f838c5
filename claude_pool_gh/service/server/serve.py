"""`claude-pool-gh serve`: the webhook server."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from cryptography.exceptions import UnsupportedAlgorithm

from claude_pool_gh.conversation.registry import UnfitVerb
from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.service.log.outages import outage
from claude_pool_gh.service.monitoring import endpoints
from claude_pool_gh.service.server import agreement
from claude_pool_gh.service.server.bounds import IDLE_SECONDS, GuardedSite
from claude_pool_gh.service.server.runtime import Runtime, open_runtime
from claude_pool_gh.service.server.web import WebhookApp
from claude_pool_gh.service.setting_types import host_and_port
from claude_pool_gh.service.settings import PREFIX, Settings, variable
from claude_pool_gh.storage import migrations, server_settings
from claude_pool_gh.storage.errors import UNREACHABLE, DatabaseError

logger = logging.getLogger(__name__)


class StartError(ValueError):
    """The reasons why a server cannot start, one line each."""


def check(settings: Settings) -> None:
    """Raises StartError with everything to set without which a server could not work or would not be safe."""
    missing = []
    try:
        check_secrets(settings.secrets)
    except ValueError as error:
        missing.append(f"{PREFIX}{error}")
    missing += check_agents(settings)
    if missing:
        raise StartError("\n".join(missing))


def check_agents(settings: Settings) -> list[str]:
    """The things that are missing to run agents on the App's repositories, one line each."""
    missing = []
    if not settings.app_id:
        missing.append(f"{variable('app_id')} is not set: the id of the GitHub App")
    try:
        check_key(settings)
    except ValueError as error:
        missing.append(str(error))
    if not settings.anthropic_api_key.get_secret_value():
        missing.append(f"{variable('anthropic_api_key')} is not set: the key for the model's API")
    if shutil.which("git") is None:
        missing.append("git is not found: install git, 2.30 or newer, and put it on PATH")
    return missing


def check_key(settings: Settings) -> None:
    """Raises ValueError, saying what to set, unless there is an RSA private key in PEM form to sign with."""
    file = settings.private_key_file
    where = variable("private_key") if file is None else f"{variable('private_key_file')}={file}"
    try:
        text = settings.key
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise ValueError(f"{where} cannot be read: {reason}") from None
    if not text.strip():
        either = f"{variable('private_key')} or {variable('private_key_file')}"
        raise ValueError(f"{either} is not set: the App's private key")
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        usable = isinstance(load_pem_private_key(text.encode(), password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        usable = False
    if not usable:
        raise ValueError(
            f"{where} holds no private key: give the whole .pem file that GitHub let you download, "
            "from -----BEGIN RSA PRIVATE KEY----- to -----END RSA PRIVATE KEY-----"
        )


def _why(error: DatabaseError) -> str:
    found = outage(error)
    if found is not None and isinstance(getattr(error, "orig", None), sqlite3.Error):
        return f": {found.error}; {found.do}"
    # What a driver with an address says may hold the password.
    return f" ({type(getattr(error, 'orig', error)).__name__})"


@asynccontextmanager
async def opened(runtime: AbstractAsyncContextManager[Runtime]) -> AsyncIterator[Runtime]:
    """The running parts of a server, or a StartError that says why the database cannot be used."""
    async with AsyncExitStack() as stack:
        try:
            found = await stack.enter_async_context(runtime)
        except UNREACHABLE as error:
            raise StartError(f"the database cannot be opened{_why(error)}") from error
        except (migrations.NewerSchema, UnfitVerb, PoolError) as error:
            raise StartError(str(error)) from error
        yield found


@asynccontextmanager
async def monitored(runtime: Runtime, settings: Settings) -> AsyncIterator[None]:
    """Answer monitors while the block lasts. Raises StartError where the address cannot be listened on."""
    async with AsyncExitStack() as stack:
        address = settings.metrics_host, settings.metrics_port
        try:
            await stack.enter_async_context(endpoints.served(runtime.monitor, *address))
        except OSError as error:
            raise StartError(_busy(*address, error)) from error
        yield


def _busy(host: str, port: int | None, error: OSError) -> str:
    why = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"{host} port {port} cannot be listened on: {why}"


@dataclass(frozen=True, slots=True)
class StopSignals:
    """SIGTERM or SIGINT: the first one lets what runs end, the second one does not."""

    first: asyncio.Event = field(default_factory=asyncio.Event)
    second: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self) -> None:
        """Hear them from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._heard)

    def _heard(self) -> None:
        (self.second if self.first.is_set() else self.first).set()


async def end_what_runs(runtime: Runtime, seconds: float, signals: StopSignals) -> None:
    """Take nothing more, and let running agents end, until the second signal at most."""
    logger.info("stopping", extra={"action": "stopping", "seconds": seconds})
    runtime.monitor.stop()
    ending = asyncio.create_task(runtime.pool.hand_over(seconds))
    hurry = asyncio.create_task(signals.second.wait())
    await asyncio.wait((ending, hurry), return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if not ending.done():
        ending.cancel()
        logger.warning("stopping at once", extra={"action": "stopping_at_once"})
        return
    if left := ending.result():
        told = {"action": "left", "chains": left}
        logger.warning(
            "chains stopped in the middle of a step; they continue elsewhere or later", extra=told
        )


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then let what runs end for `stop_timeout`; deliveries are stored until the end."""
    check(settings)
    signals = StopSignals()
    signals.listen()
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(opened(open_runtime(settings)))
        own = agreement.shared(settings)
        await runtime.database.transact(lambda tx: server_settings.write(tx, own))
        app = WebhookApp(runtime, settings)
        runtime.monitor.metrics.add("deliveries", "Webhook deliveries", ("status",), app.counts)
        runner = web.AppRunner(
            app.application(),
            access_log=None,
            max_headers=64,
            lingering_time=2,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = GuardedSite(runner, settings.host, settings.port, app.connections)
        try:
            await site.start()
        except OSError as error:
            raise StartError(_busy(settings.host, settings.port, error)) from error
        host, port = runner.addresses[0][:2]
        await stack.enter_async_context(monitored(runtime, settings))
        # The one line that a starter may wait for.
        print(f"listening on http://{host_and_port(host, port)}", flush=True)  # noqa: T201
        work = [
            runtime.serve_commands(),
            runtime.show_time_for_ever(),
            runtime.retention.prune_for_ever(),
            runtime.start_audits_for_ever(),
        ]
        work += [runtime.catch_up_for_ever(settings.poll)] if settings.poll else []
        working = [asyncio.create_task(each) for each in work]
        runtime.wake()
        await signals.first.wait()
        for each in working:
            each.cancel()
        await end_what_runs(runtime, settings.stop_timeout, signals)
