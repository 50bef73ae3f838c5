"""Say what the bot would decide about a recorded event, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.common_flags import folder_flag, json_flag
from claude_pool_gh.service.command_line.deferred import deferred

if TYPE_CHECKING:
    from claude_pool_gh.service.rehearsals import replay as recorded
else:
    recorded = deferred("claude_pool_gh.service.rehearsals.replay")


@click.command
@click.argument("event_file", type=click.File(errors="replace"), metavar="EVENT.json")
@click.option(
    "--event",
    metavar="NAME",
    default="",
    help="The event's name, such as issue_comment. Default: seen by its parts.",
)
@click.option(
    "--role",
    type=click.Choice(["none", "read", "triage", "write", "maintain", "admin"]),
    help="What the sender may do. Default: guessed from author_association, else write.",
)
@click.option(
    "--runs-in",
    type=click.Choice(["app", "action"]),
    default="app",
    show_default=True,
    help="Who is asked: the App's server or the Action.",
)
@folder_flag
@click.option("--base", metavar="COMMIT", default="", help="Commit to take for the default branch.")
@click.option(
    "--head",
    metavar="COMMIT",
    default="HEAD",
    show_default=True,
    help="Commit to take for the pull request.",
)
@json_flag
def command(event_file: Any, folder: Path, **given: Any) -> None:
    """Say what the bot would decide about an event, and why: nothing is run.

    EVENT.json is the body of a webhook delivery, a delivery as GitHub's API shows it, or the file that a runner names
    in GITHUB_EVENT_PATH. It meets a simulated GitHub that holds the repository of --folder, whose configuration counts.

    \b
    Examples:
        claude-pool-gh replay event.json
        claude-pool-gh replay event.json --role read --folder ~/shop
    """  # noqa: D301 - click wants the character itself
    sys.exit(
        interruptible.run(
            recorded.replay_event(
                recorded.RecordedEvent(text=event_file.read(), folder=folder, **given)
            )
        )
    )
