"""Print what happened in a chain, and what its agents said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import READING, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service import show as shown
else:
    shown = deferred("claude_pool_gh.service.show")


@click.command
@click.argument("chain_id")
@click.option("--step", help="Only the runs of this step, with everything the agents said and did.")
@settings_flags(*READING)
def command(chain_id: str, step: str | None, **given: Any) -> None:
    """Print what happened in a chain: its steps, costs and, with --step, the redacted transcript."""
    asyncio.run(shown.show(settings_of(given), chain_id, step))
