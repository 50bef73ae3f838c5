"""Flags that many commands have, and that need no settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from claude_pool_gh.terms.efforts import EFFORTS

Command = TypeVar("Command", bound=Callable[..., Any])


EFFORT: Final = click.option(
    "--effort",
    type=click.Choice(EFFORTS),
    help="Reasoning effort. Default: as recipes and configuration say, else the model's own.",
)


def json_flag(command: Command) -> Command:
    """Give a command the flag `--json`, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(
        command
    )


def folder_flag(command: Command) -> Command:
    """Give a command the flag `--folder`: an existing folder, by default the current one."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    text = "Folder of the project. Default: here."
    return click.option("--folder", type=kind, default=Path(), help=text)(command)
