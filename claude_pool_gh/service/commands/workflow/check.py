"""Check workflows before anything is paid for; print each fault with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.command_line.recipe_output import print_checks
from claude_pool_gh.service.shell.recipe_files import check_workflow, library_at, own_files


@click.command
@click.argument(
    "chosen",
    nargs=-1,
    metavar="[FILE]...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--shell", "in_shell", is_flag=True, help="As `claude-pool-gh chain` runs it, not as GitHub."
)
@json_flag
@folder_flag
def command(chosen: tuple[Path, ...], *, in_shell: bool, as_json: bool, folder: Path) -> None:
    """Check workflows, by default all in .github/claude-pool/workflows, as they would run on GitHub.

    \b
    Examples:
        claude-pool-gh workflow check
        claude-pool-gh workflow check --shell release.yml
    """  # noqa: D301 - click wants the character itself
    library = library_at(folder)
    checked = [
        check_workflow(file, library, in_shell=in_shell) for file in chosen or own_files(folder)[0]
    ]
    sys.exit(print_checks(checked, as_json=as_json))
