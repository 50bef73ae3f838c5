"""Check skills in the Agent Skills format; print each fault with its line."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.command_line.recipe_output import print_checks
from claude_pool_gh.service.shell.recipe_files import check_skill, own_files


@click.command
@click.argument(
    "chosen", nargs=-1, metavar="[FOLDER|FILE]...", type=click.Path(exists=True, path_type=Path)
)
@json_flag
@folder_flag
def command(chosen: tuple[Path, ...], *, as_json: bool, folder: Path) -> None:
    """Check skills, by default all in .github/claude-pool/skills, and say what of them has no effect here.

    \b
    Examples:
        claude-pool-gh skill check
        claude-pool-gh skill check ~/.config/claude-pool/skills/changelog
    """  # noqa: D301 - click wants the character itself
    files = [each / "SKILL.md" if each.is_dir() else each for each in chosen]
    checked = [check_skill(file) for file in files or own_files(folder)[1]]
    sys.exit(print_checks(checked, as_json=as_json))
