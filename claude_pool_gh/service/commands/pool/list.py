"""List the chains that were started here and wait, or can continue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_of, store_flags

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import pool_control
else:
    pool_control = deferred("claude_pool_gh.service.shell.pool_control")


@click.command
@click.option("--all", "every", is_flag=True, help="Those that have ended, too.")
@json_flag
@folder_flag
@store_flags
def command(*, every: bool, as_json: bool, folder: Path, **given: Any) -> None:
    """List the chains that were started in this folder and wait for a decision, or can continue.

    What has ended is kept for 14 days.

    \b
    Examples:
        claude-pool-gh pool list
        claude-pool-gh pool list --all --json
    """  # noqa: D301 - click wants the character itself
    chosen = settings_of(given)
    interruptible.run(pool_control.list_chains(chosen, folder, every=every, as_json=as_json))
