"""Copy the database into a file, also while the server runs."""

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
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_flag
@settings_flags(*READING)
def command(file: Path, *, as_json: bool, **given: Any) -> None:
    """Copy the database into FILE, which must not exist yet. The server may run, and is not held up.

    The copy is one consistent state, checked before it gets its name. It holds private code and texts: only its owner
    can read it. It has all that cannot be fetched again; mirrors and checkouts are not in it.

    \b
    Example:
        claude-pool-gh backup /backups/pool.sqlite --state-dir /var/lib/claude-pool
    """  # noqa: D301 - click wants the character itself
    copies.backup(settings_of(given), file, as_json=as_json)
