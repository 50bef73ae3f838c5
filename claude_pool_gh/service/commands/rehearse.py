"""Show what the bot does, on a simulated GitHub, without cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.common_flags import folder_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.shell.files import is_file

if TYPE_CHECKING:
    from claude_pool_gh.service.rehearsals import rehearse as demo
    from claude_pool_gh.service.rehearsals import rehearse_command as rehearsed
else:
    demo = deferred("claude_pool_gh.service.rehearsals.rehearse")
    rehearsed = deferred("claude_pool_gh.service.rehearsals.rehearse_command")


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--live", is_flag=True, help="Use the real model, with ANTHROPIC_API_KEY; costs a few cents."
)
@click.option(
    "--base",
    metavar="COMMIT",
    default="",
    help="For a command: the commit that the pull request is against.",
)
@click.option(
    "--head",
    metavar="COMMIT",
    default="HEAD",
    show_default=True,
    help="For a command: the pull request's commit.",
)
@click.option(
    "--issue",
    metavar="TITLE",
    default="",
    help="For a command: an issue of this title instead of a pull request.",
)
@folder_flag
@click.argument("what", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(
    what: str | None, arguments: tuple[str, ...], *, live: bool, folder: Path, **given: str
) -> None:
    """Show what the bot does, against a simulated GitHub and, unless --live, a scripted model: no key, no cost.

    A command runs on a pull request of --head against --base. Only commits count: the real bot reads nothing else.

    \b
    Examples:
        claude-pool-gh rehearse                                    a whole review of an example
        claude-pool-gh rehearse "/pool review" --base HEAD~1       that command on the repository here
        claude-pool-gh rehearse script.py                          a Python program of yours
    """  # noqa: D301 - click wants the character itself
    if what is None:
        sys.exit(interruptible.run(demo.rehearse(live=live)))
    if what.lower().startswith("/pool"):
        wanted = rehearsed.RehearsalOptions(
            command=" ".join((what, *arguments)), folder=folder, live=live, **given
        )
        sys.exit(interruptible.run(rehearsed.rehearse_command(wanted)))
    if not is_file(Path(what)):
        raise click.UsageError(f"{what!r} is neither a file nor a command such as `/pool review`")
    sys.exit(interruptible.run(demo.rehearse_script(what, arguments)))
