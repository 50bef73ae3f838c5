"""Check a configuration file and the recipes beside it; print each error with its line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.config.load import PATH, load, misnamed
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.verb_names import verb_names
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.plain import echo, echo_json

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import recipe_files
else:
    recipe_files = deferred("claude_pool_gh.service.shell.recipe_files")


@click.command
@click.argument("file", type=click.File(errors="replace"), required=False)
@json_flag
def command(file: Any, *, as_json: bool) -> None:
    """Check a configuration file, and the workflows and skills in the folder `claude-pool` beside it.

    Without FILE it is .github/claude-pool.yml of the folder here.

    \b
    Examples:
        claude-pool-gh config check
        claude-pool-gh config check --json /elsewhere/.github/claude-pool.yml
    """  # noqa: D301 - click wants the character itself
    name, text = (file.name, file.read()) if file is not None else _usual()
    loaded = load(text, verb_names())
    faults = [] if isinstance(loaded, RepositoryConfig) else [(name, str(e)) for e in loaded]
    here = Path(name).parent
    if here.absolute().name == ".github" and (here / "claude-pool").is_dir():
        for checked in recipe_files.check_all(here.parent):
            faults += [(checked.path, fault) for fault in checked.faults]
    if as_json:
        echo_json(json.dumps([{"file": name, "fault": fault} for name, fault in faults], indent=2))
    else:
        for name, fault in faults:
            echo(f"{name}: {fault}", err=True)
        if not faults:
            echo("no errors")
    sys.exit(1 if faults else 0)


def _usual() -> tuple[str, str]:
    """The file that counts in the repository here, and its text; recipes may be there without it.

    Raises ClickException where there is neither.
    """
    file = Path(PATH)
    if file.is_file():
        return PATH, file.read_text("utf-8", errors="replace")
    if wrong := misnamed(
        str(each) for folder in (Path(), file.parent) for each in folder.glob("*")
    ):
        raise click.ClickException(f"{wrong.file}: {wrong.faults[0].problem}")
    if not (file.parent / "claude-pool").is_dir():
        raise click.ClickException(
            f"there is no {PATH} here, and none is needed: without it every key has its default. To check another "
            "file, name it: claude-pool-gh config check FILE"
        )
    return PATH, ""
