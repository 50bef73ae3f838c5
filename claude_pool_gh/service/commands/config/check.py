"""Check a configuration file and the recipes beside it; print each error with its line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.config.load import load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.verb_names import verb_names
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred

if TYPE_CHECKING:
    from claude_pool_gh.service import recipe_files
else:
    recipe_files = deferred("claude_pool_gh.service.recipe_files")


@click.command
@click.argument("file", type=click.File(errors="replace"))
@json_flag
def command(file: Any, *, as_json: bool) -> None:
    """Check a configuration file, and the workflows and skills in the folder `claude-pool` beside it.

    \b
    Example:
        claude-pool-gh config check .github/claude-pool.yml
    """  # noqa: D301 - click wants the character itself
    loaded = load(file.read(), verb_names())
    faults = [] if isinstance(loaded, RepositoryConfig) else [(file.name, str(e)) for e in loaded]
    here = Path(file.name).parent
    if here.absolute().name == ".github" and (here / "claude-pool").is_dir():
        for checked in recipe_files.check_all(here.parent):
            faults += [(checked.path, fault) for fault in checked.faults]
    if as_json:
        click.echo(json.dumps([{"file": name, "fault": fault} for name, fault in faults], indent=2))
    else:
        for name, fault in faults:
            click.echo(f"{name}: {fault}", err=True)
        if not faults:
            click.echo("no errors")
    sys.exit(1 if faults else 0)
