"""`claude-pool-gh worker`: a process that runs what servers have accepted, on this machine or another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from claude_pool_gh.service.server.runtime import Runtime, open_runtime
from claude_pool_gh.service.server.serve import (
    StartError,
    StopSignals,
    check_agents,
    end_what_runs,
    monitored,
    opened,
)
from claude_pool_gh.service.server.settings_watch import SettingsWatch
from claude_pool_gh.service.settings import Settings, variable
from claude_pool_gh.storage import Database, for_people, parsed_url

logger = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raises StartError with everything to set without which a worker could not work."""
    missing = check_agents(settings)
    if parsed_url(settings.database).get_backend_name() != "postgresql":
        missing.append(
            f"{variable('database_url')} must be the server's postgresql://... address: "
            "a SQLite file belongs to one process"
        )
    if not settings.slots:
        missing.append(f"{variable('slots')} is 0: a worker without slots would run nothing")
    if settings.public_url and not settings.secrets:
        missing.append(
            f"{variable('webhook_secret')} is not set: with {variable('public_url')}, links to downloads are "
            "signed with it, as the server does"
        )
    if missing:
        raise StartError("\n".join(missing))


@asynccontextmanager
async def agreed(settings: Settings, watch: SettingsWatch) -> AsyncIterator[Runtime]:
    """The running parts of a worker whose settings fit the server's; nothing runs before that is known.

    Raises StartError where they would break what the server promises.
    """
    database = Database.open(settings.database)
    try:
        refused = await watch.refused(database)
    finally:
        database.close()
    if refused:
        raise _disagreement(refused)
    async with open_runtime(settings) as runtime:
        yield runtime


async def work(settings: Settings) -> None:
    """Run chains until SIGTERM or SIGINT; then end what runs, within `stop_timeout`, and leave the rest to others.

    It ends in the same way, with a StartError, where a server starts with settings that this worker must share.
    """
    check(settings)
    signals, watch = StopSignals(), SettingsWatch.of(settings)
    signals.listen()
    async with opened(agreed(settings, watch)) as runtime, monitored(runtime, settings):
        # The one line that a starter may wait for.
        print(f"working for {for_people(settings.database)} on {settings.slots} slots", flush=True)  # noqa: T201
        runtime.pool.wake()
        pruning = asyncio.create_task(runtime.retention.prune_for_ever())
        refused = await until_stopped(signals, watch, runtime.database)
        pruning.cancel()
        if refused:
            do = "give this worker the server's settings, and start it again"
            told = {"action": "settings_refused", "settings": list(refused), "do": do}
            logger.error("a server has started with other settings", extra=told)
        await end_what_runs(runtime, settings.stop_timeout, signals)
    if refused:
        raise _disagreement(refused)


async def until_stopped(
    signals: StopSignals, watch: SettingsWatch, database: Database
) -> tuple[str, ...]:
    """Wait for a signal, or for a server whose settings this worker must share: those that differ, one line each."""
    told = asyncio.create_task(signals.first.wait())
    differing = asyncio.create_task(watch.until_refused(database))
    await asyncio.wait((told, differing), return_when=asyncio.FIRST_COMPLETED)
    refused = differing.result() if differing.done() and not told.done() else ()
    for each in (told, differing):
        each.cancel()
    return refused


def _disagreement(refused: Sequence[str]) -> StartError:
    help_ = (
        "give this worker the server's settings, or restart the server with these settings first"
    )
    return StartError("\n".join((*refused, help_)))
