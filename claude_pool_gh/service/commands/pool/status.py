"""Show slots, tasks, unfinished chains and money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import READING, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import pool_control
else:
    pool_control = deferred("claude_pool_gh.service.shell.pool_control")


@click.command
@json_flag
@settings_flags(*READING, "budget_usd")
def command(*, as_json: bool, **given: Any) -> None:
    """Show slots, tasks, unfinished chains and money of one store, such as a server's.

    \b
    Example:
        claude-pool-gh pool status --state-dir /var/lib/claude-pool
    """  # noqa: D301 - click wants the character itself
    interruptible.run(pool_control.status(settings_of(given), as_json=as_json))
