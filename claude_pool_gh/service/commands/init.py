"""Set a repository up for the Action, or make a server's GitHub App."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_of
from claude_pool_gh.service.plain import echo_json

if TYPE_CHECKING:
    from claude_pool_gh.service.init import action, app
else:
    action = deferred("claude_pool_gh.service.init.action")
    app = deferred("claude_pool_gh.service.init.app")


@click.command
@click.option("--app", is_flag=True, help="Make the GitHub App of a server instead.")
@click.option("--yes", is_flag=True, help="Ask nothing, for scripts.")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and do nothing.")
@click.option(
    "--action",
    metavar="OWNER/NAME[@COMMIT]",
    default="",
    help="The action; the commit, if you want another one than that of the release.",
)
@click.option(
    "--pull-request", is_flag=True, help="Open a pull request instead of writing files here."
)
@click.option(
    "--remote",
    metavar="NAME",
    default="origin",
    show_default=True,
    help="Remote of this clone that is on GitHub.",
)
@click.option(
    "--organization",
    metavar="NAME",
    default="",
    help="With --app: who owns the App. Default: your own account.",
)
@click.option(
    "--public-url",
    metavar="URL",
    default="",
    help="With --app: where GitHub reaches the server, https://HOST.",
)
@click.option(
    "--poll", is_flag=True, help="With --app: GitHub cannot reach the server, so it asks GitHub."
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("claude-pool-app"),
    show_default=True,
    help="With --app: where the App's key and settings are written.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="NUMBER",
    default=0,
    help="With --app: port of the page. Default: any.",
)
@click.option("--no-browser", is_flag=True, help="With --app: only print the address of the page.")
@json_flag
def command(**given: Any) -> None:
    """Set the repository of this clone up for the Action: its workflow and a configuration to begin with.

    It asks before it writes, replaces no file, and says whether the secret with the model's key is set, which it asks
    GitHub with GITHUB_TOKEN, GH_TOKEN or the token of `gh`.

    With --app it makes the GitHub App of a server: it opens a page on which you confirm on GitHub what the App may do,
    and writes the App's private key and webhook secret to files that only you can read. For a machine without a
    browser, forward --port to it: ssh -L 8765:127.0.0.1:8765 MACHINE.

    \b
    Examples:
        claude-pool-gh init --action OWNER/claude-pool-gh --dry-run
        claude-pool-gh init --action OWNER/claude-pool-gh --pull-request
        claude-pool-gh init --app --public-url https://pool.example.com
    """  # noqa: D301 - click wants the character itself
    settings = settings_of({})
    _check_belonging(given)
    common = {name: given[name] for name in ("yes", "dry_run", "as_json")}
    common["settings"] = settings
    if given["app"]:
        own = {name: given[name] for name in ("organization", "public_url", "poll", "port")}
        browser = not given["no_browser"]
        app.set_up(app.AppOptions(folder=given["folder"], browser=browser, **own, **common))
        return
    own = {name: given[name] for name in ("remote", "action", "pull_request")}
    done = action.set_up(action.ActionOptions(folder=Path(), **own, **common))
    if given["as_json"]:
        echo_json(json.dumps(done.as_json(), indent=2))


def _check_belonging(given: dict[str, Any]) -> None:
    """A flag that belongs to the other way of setting up would otherwise be ignored in silence."""
    of_app = ("organization", "public_url", "poll", "no_browser")
    others = ("action", "pull_request") if given["app"] else of_app
    if wrong := [name for name in others if given[name]]:
        flag = f"--{wrong[0].replace('_', '-')}"
        raise click.UsageError(
            f"{flag} does not go with --app" if given["app"] else f"{flag} goes with --app only"
        )
