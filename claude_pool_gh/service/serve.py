"""`claude-pool-gh serve`: the first door."""

from __future__ import annotations

import asyncio
import logging
import signal

from aiohttp import web
from cryptography.exceptions import UnsupportedAlgorithm

from claude_pool_gh.github.deliveries import check_secrets
from claude_pool_gh.service.house import open_house
from claude_pool_gh.service.settings import PREFIX, Settings
from claude_pool_gh.service.web import WebhookApp

logger = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raises ValueError where a server could not work or would not be safe, with a line for each thing to set."""
    faults = []
    for look in (_check_secret, _check_app_id, check_key, _check_model_key):
        try:
            look(settings)
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("\n".join(faults))


def _check_secret(settings: Settings) -> None:
    try:
        check_secrets(settings.secrets)
    except ValueError as error:
        raise ValueError(str(error).replace("WEBHOOK_SECRET", f"{PREFIX}WEBHOOK_SECRET", 1)) from error


def _check_app_id(settings: Settings) -> None:
    if not settings.app_id:
        raise ValueError(f"{PREFIX}APP_ID is not set: the id on the App's page")


def check_key(settings: Settings) -> None:
    """Raises ValueError, saying what to set, unless there is an RSA private key in PEM form to sign with."""
    file = settings.private_key_file
    where = f"{PREFIX}PRIVATE_KEY" if file is None else f"{PREFIX}PRIVATE_KEY_FILE={file}"
    try:
        text = settings.key
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text file"
        raise ValueError(f"{where} cannot be read: {reason}") from None
    if not text.strip():
        raise ValueError(f"{PREFIX}PRIVATE_KEY or {PREFIX}PRIVATE_KEY_FILE is not set: the App's private key")
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


def _check_model_key(settings: Settings) -> None:
    if not settings.anthropic_api_key.get_secret_value():
        raise ValueError("ANTHROPIC_API_KEY is not set")


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    check(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_house(settings) as house:
        app = WebhookApp(house, settings).application()
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
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
