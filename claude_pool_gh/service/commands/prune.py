"""Delete what is older than the settings say, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import READING, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import prune_command
else:
    prune_command = deferred("claude_pool_gh.service.shell.prune_command")

_KEPT: Final = tuple(
    f"keep_{name}_days" for name in ("transcripts", "patches", "deliveries", "chains", "effects")
)


@click.command
@click.option("--dry-run", is_flag=True, help="Only say how many rows would be deleted.")
@settings_flags(*READING, *_KEPT)
@json_flag
def command(*, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Delete what is older than the settings say from the database, now. The server may run.

    A server does the same once an hour. Mirrors are left to it. Nothing changes on GitHub, and what was spent goes on
    counting.

    \b
    Examples:
        claude-pool-gh prune --dry-run
        claude-pool-gh prune --keep-transcripts-days 14
    """  # noqa: D301 - click wants the character itself
    prune_command.prune(settings_of(given), dry_run=dry_run, as_json=as_json)
