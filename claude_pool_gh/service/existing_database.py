"""Opens a database that is there already, for commands that make none."""

from __future__ import annotations

import click

from claude_pool_gh.storage import Database, for_people, migrations
from claude_pool_gh.storage.errors import DatabaseError, reason


class NoPoolDatabase(click.ClickException):
    """There is none, or what is there has no tables of a pool's."""


def existing_database(url: str) -> Database:
    """A pool's database that is there already. Raises NoPoolDatabase; ClickException where it cannot be reached."""
    try:
        database = Database.open_existing(url)
        try:
            if migrations.current(database.engine) is not None:
                return database
        except BaseException:
            database.close()
            raise
        database.close()
        raise FileNotFoundError(f"there is no pool's database at {for_people(url)}")  # noqa: TRY301 - said once, below
    except FileNotFoundError as error:
        raise NoPoolDatabase(f"{error}; name its folder with --state-dir") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseError as error:
        raise click.ClickException(
            f"the database at {for_people(url)} cannot be read: {reason(error)}"
        ) from error
