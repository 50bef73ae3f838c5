"""Print what happened in a chain, and what its agents said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_of, store_flags

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import pool_control
else:
    pool_control = deferred("claude_pool_gh.service.shell.pool_control")


@click.command
@click.argument("chain_id")
@click.option(
    "--step",
    metavar="NAME",
    help="Only the runs of this step, with everything the agents said and did.",
)
@json_flag
@store_flags
def command(chain_id: str, step: str | None, *, as_json: bool, **given: Any) -> None:
    """Print what happened in a chain: its steps, costs and, with --step, the redacted transcript.

    \b
    Example:
        claude-pool-gh show chain-0fecd9d0c81f8b1d7f1e --step find
    """  # noqa: D301 - click wants the character itself
    interruptible.run(pool_control.show(settings_of(given), chain_id, step, as_json=as_json))
