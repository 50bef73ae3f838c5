"""Show slots, tasks, unfinished chains and money."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from claude_pool_gh.service.command_line.options import settings_flags, settings_of
from claude_pool_gh.service.script import status


@click.command
@settings_flags
def command(**given: Any) -> None:
    """Show slots, tasks, unfinished chains and money."""
    asyncio.run(status(settings_of(given)))
