"""Copy a built-in workflow with its skills, or a skill, into this project."""

from __future__ import annotations

import json
from pathlib import Path

import click

from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.shell.recipe_files import PROJECT, eject


@click.command
@click.argument("name")
@folder_flag
@json_flag
def command(name: str, *, folder: Path, as_json: bool) -> None:
    """Copy a built-in workflow with its skills, or a skill, to .github/claude-pool, where it goes before the built-in.

    Files that are there already are kept.

    \b
    Example:
        claude-pool-gh recipes eject review
    """  # noqa: D301 - click wants the character itself
    try:
        written = eject(name, folder)
    except RecipeError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        echo_json(json.dumps({"written": [str(path) for path in written]}, indent=2))
        return
    for path in written:
        echo(path)
    if not written:
        echo(f"everything of {name} is in {folder / PROJECT} already", err=True)
