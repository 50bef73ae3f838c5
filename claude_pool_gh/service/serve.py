"""`claude-pool-gh serve`: the first door."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from aiohttp import web
from cryptography.exceptions import UnsupportedAlgorithm

from claude_pool_gh.conversation.registry import UnfitVerb
from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.service.bounds import IDLE_SECONDS, GuardedSite
from claude_pool_gh.service.runtime import Runtime, open_runtime
from claude_pool_gh.service.settings import PREFIX, Settings, variable
from claude_pool_gh.service.web import WebhookApp
from claude_pool_gh.storage import migrations
from claude_pool_gh.storage.errors import UNREACHABLE

logger = logging.getLogger(__name__)


class StartError(ValueError):
    """Why a server cannot start, one line for each reason."""


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
    """What is missing to run agents on the App's repositories, one line each."""
    missing = []
    if not settings.app_id:
        missing.append(f"{variable('app_id')} is not set: the id of the GitHub App")
    try:
        check_key(settings)
    except ValueError as error:
        missing.append(str(error))
    if not settings.anthropic_api_key.get_secret_value():
        missing.append(f"{variable('anthropic_api_key')} is not set: the key for the model's API")
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


@asynccontextmanager
async def opened(runtime: AbstractAsyncContextManager[Runtime]) -> AsyncIterator[Runtime]:
    """The running parts of a server, or a StartError that says why the database cannot be used."""
    async with AsyncExitStack() as stack:
        try:
            found = await stack.enter_async_context(runtime)
        except UNREACHABLE as error:
            # What the driver says may hold the address with its password.
            raise StartError(
                f"the database cannot be opened ({type(error.orig).__name__})"
            ) from error
        except (migrations.NewerSchema, UnfitVerb) as error:
            raise StartError(str(error)) from error
        yield found


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    check(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(opened(open_runtime(settings)))
        app = WebhookApp(runtime, settings)
        runner = web.AppRunner(
            app.application(),
            access_log=None,
            max_headers=64,
            lingering_time=2,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        site = GuardedSite(runner, settings.host, settings.port, app.connections)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            why = os.strerror(error.errno).lower() if error.errno else str(error)
            raise StartError(
                f"{settings.host} port {settings.port} cannot be listened on: {why}"
            ) from error
        host, port = runner.addresses[0][:2]
        # The one line that a starter may wait for.
        print(f"listening on http://{host}:{port}", flush=True)  # noqa: T201
        work = [runtime.serve_commands(), runtime.show_time_for_ever()]
        work += [runtime.catch_up_for_ever(settings.poll)] if settings.poll else []
        working = [asyncio.create_task(each) for each in work]
        runtime.wake()
        await stop.wait()
        logger.info("stopping", extra={"action": "stopping"})
        for each in working:
            each.cancel()
        await runner.cleanup()
