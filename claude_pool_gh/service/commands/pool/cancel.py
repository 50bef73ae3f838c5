"""End a chain that runs or waits."""

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
@click.argument("chain_id", metavar="ID")
@json_flag
@folder_flag
@store_flags
def command(chain_id: str, *, as_json: bool, folder: Path, **given: Any) -> None:
    """End a chain that runs or waits. What it finished and cost is kept; `pool continue` resumes it.

    \b
    Example:
        claude-pool-gh pool cancel chain-0fecd9d0c81f8b1d7f1e
    """  # noqa: D301 - click wants the character itself
    interruptible.run(pool_control.cancel(settings_of(given), folder, chain_id, as_json=as_json))
