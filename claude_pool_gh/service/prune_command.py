"""`claude-pool-gh prune`: retention at once, or what it would delete."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import click

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service import agreement
from claude_pool_gh.service.retention import PAUSE_SECONDS, prune_rows, would_prune
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.service.show import open_to_look
from claude_pool_gh.storage import Database, Transaction, migrations, server_settings
from claude_pool_gh.storage.errors import DatabaseError, reason


class _TakenBack(Exception):
    """Rolls back the transaction in which it was counted."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self.counts = counts


def prune(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Delete what is too old and say how much, or only say it. Raises ClickException."""
    database = open_to_look(settings.database)
    try:
        if not dry_run:
            _as_the_server(database, settings)
        if migrations.current(database.engine) != migrations.newest():
            raise click.ClickException(
                "the database is of another version: start this version's server, which upgrades it"
            )
        act = _count if dry_run else _delete
        counts = asyncio.run(act(database, settings))
    except DatabaseError as error:
        raise click.ClickException(
            f"{reason(error)}; what was deleted until then stays deleted"
        ) from error
    finally:
        database.close()
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "rows": dict(counts)}, indent=2))
        return
    told = ", ".join(f"{name}: {count}" for name, count in counts.items()) or "nothing is too old"
    click.echo(f"would be deleted: {told}" if dry_run and counts else told)


def _as_the_server(database: Database, settings: Settings) -> None:
    """Refuse to delete what the server keeps: a shell may lack its variables. Raises ClickException."""
    server = asyncio.run(server_settings.read(database))
    if others := agreement.other_retention(server, agreement.shared(settings)):
        raise click.ClickException(
            "\n".join(
                (
                    "nothing was deleted, since the server keeps records for another time:",
                    *(f"  {each}" for each in others),
                    "give the server's values here, or restart the server with these first; --dry-run shows the rows",
                )
            )
        )


async def _delete(database: Database, settings: Settings) -> Counter[str]:
    return await prune_rows(database, settings, SystemClock().now_ms(), PAUSE_SECONDS)


async def _count(database: Database, settings: Settings) -> Counter[str]:
    def counted(tx: Transaction) -> None:
        raise _TakenBack(would_prune(tx, settings, SystemClock().now_ms()))

    try:
        await database.transact(counted)
    except _TakenBack as taken_back:
        return taken_back.counts
    return Counter()
