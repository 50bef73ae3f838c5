"""Copies of the database as one file, made beside a running server, and the way back.

Mirrors and checkouts are not in it: they are fetched again.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click

from claude_pool_gh.github import restored
from claude_pool_gh.pool import earlier_workers
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.run.dispatch_lock import dispatching_from, dispatching_from_file
from claude_pool_gh.pool.run.living_workers import LOOK_SECONDS, living
from claude_pool_gh.service import interruptible
from claude_pool_gh.service.existing_database import existing_database
from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations, parsed_url
from claude_pool_gh.storage import backup as copies
from claude_pool_gh.storage.errors import DatabaseError, reason
from claude_pool_gh.storage.private import other_owner, private_folder


def backup(settings: Settings, file: Path, *, as_json: bool = False) -> None:
    """Copy the database into a new file and say how large it is. Raises ClickException."""
    database = _sqlite(settings, f"pg_dump --format=custom --file={file} ...")
    os.umask(0o077)
    try:
        size = copies.copy(database, file)
    except FileExistsError as error:
        raise click.ClickException(f"{file} exists: give the name of a new file") from error
    except FileNotFoundError as error:
        there = f"nothing was written to {file}: there is no folder {file.absolute().parent}"
        none = f"there is no database at {database}"
        raise click.ClickException(there if database.is_file() else none) from error
    except (OSError, copies.NoBackup) as error:
        raise click.ClickException(f"nothing was written to {file}: {error}") from error
    if as_json:
        echo_json(json.dumps({"file": str(file), "bytes": size}, indent=2))
    else:
        echo(f"{file}: {size / 2**20:.1f} MB")


def restore(settings: Settings, file: Path, *, replace: bool, as_json: bool = False) -> None:
    """Put a copy in the place of the database; `replace`: one that is there is moved aside. Raises ClickException."""
    instead = f"pg_restore --clean {file} ..., then claude-pool-gh restore --done"
    database = _sqlite(settings, instead)
    os.umask(0o077)
    private_folder(database.parent)
    _check_owner(database.parent)
    try:
        if (revision := copies.check(file)) > migrations.newest():
            raise click.ClickException(
                f"{file} was made by a newer version (schema {revision}): install that one"
            )
        if database.exists() and not replace:
            raise click.ClickException(
                f"{database} exists: with --replace it is moved aside, and {file} takes its place"
            )
        replaced = database.exists()
        aside = database.with_name(f"{database.name}.{time.strftime('%Y%m%d-%H%M%S')}")
        with (
            dispatching_from_file(database.resolve()),
            copies.replacing(database, file, aside) as new,
        ):
            _note_in(new)
    except PoolError as error:
        raise click.ClickException(f"the server runs: stop it first ({error})") from error
    except (OSError, copies.NoBackup) as error:
        raise click.ClickException(f"nothing was restored: {error}") from error
    except DatabaseError as error:
        raise click.ClickException(f"nothing was restored: {reason(error)}") from error
    if as_json:
        moved = str(aside) if replaced else None
        told = {"database": str(database), "file": str(file), "moved_aside": moved}
        echo_json(json.dumps(told, indent=2))
    else:
        echo(f"{database} is {file} now; start the server again")


def note_restored(
    settings: Settings, look_seconds: float = LOOK_SECONDS, *, as_json: bool = False
) -> None:
    """Note in a database that was restored by other means what `restore` notes in one of its. Raises ClickException."""
    if (file := _file(settings)) is not None and file.exists():
        _check_owner(file.parent)
    database = existing_database(settings.database)
    try:
        interruptible.run(_note_in_place(database, look_seconds))
    except PoolError as error:
        raise click.ClickException(f"stop every server and worker first: {error}") from error
    except migrations.NewerSchema as error:
        raise click.ClickException(str(error)) from error
    except DatabaseError as error:
        raise click.ClickException(f"nothing was noted: {reason(error)}") from error
    finally:
        database.close()
    if as_json:
        shown = parsed_url(settings.database).render_as_string(hide_password=True)
        echo_json(json.dumps({"database": shown, "noted": True}, indent=2))
        return
    echo("noted: for a month the server looks on GitHub before it writes there; start it now")


async def _note_in_place(database: Database, look_seconds: float) -> None:
    """Note it where nobody works with the database: who does has looked for the note already.

    A copy may be older than an upgrade. Raises PoolError, NewerSchema.
    """
    shared = database.engine.dialect.name == "postgresql"
    with dispatching_from(database):
        if shared and (alive := await living(database, look_seconds)):
            raise PoolError(f"{', '.join(alive)} still work with this database")
        await earlier_workers.upgrade(database, look_seconds)
        await _note(database)


def _check_owner(folder: Path) -> None:
    """Raises ClickException where what this user writes could not be opened by the server."""
    if (owner := other_owner(folder)) is not None:
        raise click.ClickException(
            f"{folder} belongs to {owner}: run this as that user, for example with sudo -u {owner}"
        )


async def _note(database: Database) -> None:
    """Let the next server know that GitHub knows more than this database."""
    await database.transact(lambda tx: restored.note(tx, int(time.time() * 1000)))


def _note_in(file: Path) -> None:
    """The same in a file, which gets the schema of this version."""
    opened = Database.open(f"sqlite:///{file}")
    try:
        migrations.upgrade(opened.engine)
        interruptible.run(_note(opened))
    finally:
        opened.close()


def _sqlite(settings: Settings, instead: str) -> Path:
    """The file of the database. Raises ClickException where it is none, with what to do `instead`."""
    if (file := _file(settings)) is None:
        raise click.ClickException(
            f"the database is not a file; with PostgreSQL's own tools: {instead}"
        )
    return file


def _file(settings: Settings) -> Path | None:
    url = parsed_url(settings.database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
