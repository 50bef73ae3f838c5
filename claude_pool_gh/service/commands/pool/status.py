"""Show slots, tasks, unfinished chains and money."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import READING, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service import script
else:
    script = deferred("claude_pool_gh.service.script")


@click.command
@settings_flags(*READING, "budget_usd")
def command(**given: Any) -> None:
    """Show slots, tasks, unfinished chains and money."""
    asyncio.run(script.status(settings_of(given)))
