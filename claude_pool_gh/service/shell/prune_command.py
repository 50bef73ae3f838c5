"""`claude-pool-gh prune`: retention at once, or what it would delete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.service import interruptible
from claude_pool_gh.service.existing_database import existing_database
from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.server import agreement
from claude_pool_gh.service.server.retention import PAUSE_SECONDS, kinds_of
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations, server_settings
from claude_pool_gh.storage import backup as copies
from claude_pool_gh.storage.errors import DatabaseError, reason
from claude_pool_gh.storage.piecemeal import Kind, Step, delete_all


def prune(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Delete what is too old and say how much, or only say it. Raises ClickException."""
    database = existing_database(settings.database)
    try:
        if not dry_run:
            _as_the_server(database, settings)
        if migrations.current(database.engine) != migrations.newest():
            raise click.ClickException(
                "the database is of another version: start this version's server, which upgrades it"
            )
        kinds = kinds_of(settings, SystemClock().now_ms())
        counts = (_count if dry_run else _delete)(database, kinds)
    except DatabaseError as error:
        raise click.ClickException(
            f"{reason(error)}; what was deleted until then stays deleted"
        ) from error
    finally:
        database.close()
    if as_json:
        echo_json(json.dumps({"dry_run": dry_run, "rows": dict(counts)}, indent=2))
        return
    told = ", ".join(f"{name}: {count}" for name, count in counts.items()) or "nothing is too old"
    echo(f"would be deleted: {told}" if dry_run and counts else told)


def _as_the_server(database: Database, settings: Settings) -> None:
    """Refuse to delete what the server keeps: a shell may lack its variables. Raises ClickException."""
    server = interruptible.run(server_settings.read(database))
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


def _delete(database: Database, kinds: Iterable[Kind]) -> Counter[str]:
    return interruptible.run(delete_all(database.transact, kinds, PAUSE_SECONDS))


def _count(database: Database, kinds: Iterable[Kind]) -> Counter[str]:
    """Delete the same from what nobody else waits for: a copy of SQLite's file, which has room for one writer."""
    file = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or not file:
        return _taken_back(database, kinds)
    try:
        with TemporaryDirectory(prefix="claude-pool-prune-") as folder:
            copy = Path(folder) / "copy.sqlite"
            copies.copy(Path(file), copy)
            copied = Database.open(f"sqlite:///{copy}")
            try:
                return interruptible.run(delete_all(copied.transact, kinds, 0))
            finally:
                copied.close()
    except (OSError, copies.NoBackup) as error:
        raise click.ClickException(
            f"the database cannot be copied to count in it: {error}; "
            "let TMPDIR name a folder with room for it"
        ) from error


def _taken_back(database: Database, kinds: Iterable[Kind]) -> Counter[str]:
    """Delete the same in one transaction that is rolled back; it holds only rows that are too old."""
    with database.engine.connect() as tx:

        async def act(step: Step) -> int:
            return step(tx)

        try:
            return interruptible.run(delete_all(act, kinds, 0))
        finally:
            tx.rollback()
