"""List the skills that can be named here, and where each comes from."""

from __future__ import annotations

from pathlib import Path

import click

from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.command_line.recipe_output import print_recipes
from claude_pool_gh.service.shell.recipe_files import skills_at


@click.command
@json_flag
@folder_flag
def command(*, as_json: bool, folder: Path) -> None:
    """List the skills that can be named here, and where each comes from.

    \b
    Example:
        claude-pool-gh skill list
    """  # noqa: D301 - click wants the character itself
    print_recipes(skills_at(folder), as_json=as_json)
