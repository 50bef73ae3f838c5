"""Put a copy in the place of the database; the server must not run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import READING, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.server import backup as copies
else:
    copies = deferred("claude_pool_gh.service.server.backup")


@click.command
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--replace", is_flag=True, help="Move a database that is there aside, instead of refusing."
)
@click.option(
    "--done", is_flag=True, help="Without FILE: the database was restored by other means."
)
@json_flag
@settings_flags(*READING)
def command(file: Path | None, *, replace: bool, done: bool, as_json: bool, **given: Any) -> None:
    """Put FILE, a copy that `backup` made, in the place of the database. Stop the server first.

    GitHub then knows more than the database. The next server looks for what it wants to write before it writes it, for
    a month, so that nothing stands there twice. What was asked for after the copy was made is not known any more.

    After `pg_restore`, or where a disk was put back, and before the server starts: claude-pool-gh restore --done

    \b
    Example:
        claude-pool-gh restore --replace /backups/pool.sqlite --state-dir /var/lib/claude-pool
    """  # noqa: D301 - click wants the character itself
    if done is (file is not None):
        raise click.UsageError(
            "give FILE, or --done where the database was restored by other means"
        )
    if file is None:
        copies.note_restored(settings_of(given), as_json=as_json)
    else:
        copies.restore(settings_of(given), file, replace=replace, as_json=as_json)
