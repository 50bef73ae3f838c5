"""`claude-pool-gh backup` and `restore`: the database as one file, copied beside a running server.

Mirrors and checkouts are not in it: they are fetched again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from claude_pool_gh.service.settings import Settings, SettingsError, read, variable

_STATE = click.option("--state-dir", help=f"The server's state folder. [{variable('state_dir')}]")
_URL = click.option("--database-url", help=f"The server's database. [{variable('database_url')}]")


@click.command(short_help="Copy the database into a file, also while the server runs.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_STATE
@_URL
def backup(file: Path, state_dir: str | None, database_url: str | None) -> None:
    """Copy the database into FILE, which must not exist yet. The server may run, and is not held up.

    The copy is one consistent state, checked before it gets its name. It holds private code and texts: only its owner
    can read it. It has all that cannot be fetched again; mirrors and checkouts are not in it.
    """
    from claude_pool_gh.storage import backup as copies  # noqa: PLC0415 - `--help` should not wait for it

    database = _sqlite(_settings(state_dir, database_url), f"pg_dump --format=custom --file={file}")
    os.umask(0o077)
    try:
        size = copies.copy(database, file)
    except FileExistsError as error:
        raise click.ClickException(f"{file} exists: give the name of a new file") from error
    except FileNotFoundError as error:
        raise click.ClickException(f"there is no database at {database}") from error
    except (OSError, copies.NoBackup) as error:
        raise click.ClickException(f"nothing was written to {file}: {error}") from error
    click.echo(f"{file}: {size / 2**20:.1f} MB")


@click.command(short_help="Put a copy in the place of the database; the server must not run.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--replace", is_flag=True, help="Move a database that is there aside, instead of refusing."
)
@_STATE
@_URL
def restore(file: Path, state_dir: str | None, database_url: str | None, *, replace: bool) -> None:
    """Put FILE, a copy that `backup` made, in the place of the database. Stop the server first.

    GitHub then knows more than the database. The next server looks for what it wants to write before it writes it, for
    a month, so that nothing stands there twice. What was asked for after the copy was made is not known any more.
    """
    from claude_pool_gh.pool.model.errors import PoolError  # noqa: PLC0415 - `--help` should not wait for it
    from claude_pool_gh.pool.run.dispatch_lock import dispatching_from_file  # noqa: PLC0415
    from claude_pool_gh.storage import backup as copies  # noqa: PLC0415
    from claude_pool_gh.storage import migrations  # noqa: PLC0415
    from claude_pool_gh.storage.private import private_folder  # noqa: PLC0415

    settings = _settings(state_dir, database_url)
    database = _sqlite(settings, f"pg_restore --clean {file}")
    os.umask(0o077)
    private_folder(database.parent)
    try:
        if (revision := copies.check(file)) > migrations.newest():
            raise click.ClickException(
                f"{file} was made by a newer version (schema {revision}): install that one"
            )
        if database.exists() and not replace:
            raise click.ClickException(
                f"{database} exists: with --replace it is moved aside, and {file} takes its place"
            )
        aside = database.with_name(f"{database.name}.{time.strftime('%Y%m%d-%H%M%S')}")
        with dispatching_from_file(database.resolve()):
            copies.put(file, database, aside)
            _note(settings)
    except PoolError as error:
        raise click.ClickException(f"the server runs: stop it first ({error})") from error
    except (OSError, copies.NoBackup) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{database} is {file} now; start the server again")


def _note(settings: Settings) -> None:
    """Let the next server know that GitHub knows more than its database."""
    import asyncio  # noqa: PLC0415 - only here

    from claude_pool_gh.github import restored  # noqa: PLC0415
    from claude_pool_gh.storage import Database, migrations  # noqa: PLC0415

    opened = Database.open(settings.database)
    try:
        migrations.upgrade(opened.engine)
        asyncio.run(opened.transact(lambda tx: restored.note(tx, int(time.time() * 1000))))
    finally:
        opened.close()


def _settings(state_dir: str | None, database_url: str | None) -> Settings:
    given = {"state_dir": state_dir, "database_url": database_url}
    try:
        return read({name: value for name, value in given.items() if value})
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _sqlite(settings: Settings, instead: str) -> Path:
    """The file of the database. Raises ClickException where it is none, with what to do `instead`."""
    from claude_pool_gh.storage import parsed_url  # noqa: PLC0415 - `--help` should not wait for it

    url = parsed_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise click.ClickException(
            f"the database is not a file; with PostgreSQL's own tools: {instead} ..."
        )
    return Path(url.database)
