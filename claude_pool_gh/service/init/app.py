"""`claude-pool-gh init --app`: the GitHub App of a server, made from a manifest in the browser."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.init import kept
from claude_pool_gh.service.init.manifest import checked_url, manifest, shown, usual_name
from claude_pool_gh.service.init.registration import NotRegistered, Registration, register
from claude_pool_gh.service.plain import echo, echo_json
from claude_pool_gh.service.settings import Settings

_ACCOUNT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})")


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The options of `init --app`."""

    settings: Settings
    folder: Path
    organization: str
    public_url: str
    poll: bool
    port: int
    browser: bool
    yes: bool
    dry_run: bool
    as_json: bool = False

    def say(self, text: str) -> None:
        """Tell the person, beside the result where that is JSON."""
        echo(text, err=self.as_json)


def set_up(wishes: AppOptions) -> None:
    """Make the App, keep its secrets and show where. Raises ClickException with what is in the way."""
    if wishes.organization and not _ACCOUNT.fullmatch(wishes.organization):
        raise click.UsageError(f"--organization: {wishes.organization!r} is no name of an account")
    public_url = _public_url(wishes)
    name = usual_name(wishes.organization)
    if wishes.dry_run:
        echo_json(json.dumps(manifest(name, public_url, "http://127.0.0.1/created"), indent=2))
        wishes.say("Nothing was made: this was a dry run.")
        return
    where = wishes.organization or "your own account"
    wishes.say(f"A private GitHub App of {where}, with\n{shown(manifest(name, public_url, ''))}")
    wishes.say(f"Its secrets are written to {wishes.folder}, for you alone.")
    if not wishes.yes and not click.confirm("Make it?", err=wishes.as_json):
        raise click.ClickException("nothing was made")
    try:
        kept.ready(wishes.folder)
        try:
            app = interruptible.run(_made(wishes, name, public_url))
        finally:
            with suppress(OSError):  # it holds something
                wishes.folder.rmdir()
    except (kept.CannotKeep, NotRegistered) as error:
        raise click.ClickException(str(error)) from error
    _tell(wishes, app)


def _public_url(wishes: AppOptions) -> str:
    """The address at which GitHub reaches the server; "" where it cannot."""
    if wishes.poll:
        return ""
    given = wishes.public_url
    if not given and not wishes.yes and not wishes.dry_run:
        given = click.prompt(
            "Address at which GitHub reaches the server, such as https://pool.example.com",
            err=wishes.as_json,
        )
    if not given:
        raise click.UsageError(
            "say where GitHub reaches the server: --public-url https://HOST, or --poll for nowhere"
        )
    try:
        return checked_url(given)
    except ValueError as error:
        raise click.UsageError(f"--public-url: {error}") from error


async def _made(wishes: AppOptions, name: str, public_url: str) -> kept.CreatedApp:
    settings = wishes.settings
    registration = Registration(
        settings.github_server_url,
        settings.github_api_url,
        wishes.organization,
        lambda app: kept.keep(wishes.folder, app, settings, public_url),
    )

    def wanted(redirect_url: str) -> Mapping[str, Any]:
        return manifest(name, public_url, redirect_url)

    def show(page: str) -> None:
        wishes.say(
            f"Open {page} in a browser on this machine, and press the button on GitHub's page."
        )
        if wishes.browser:
            click.launch(page)

    return await register(registration, wanted, wishes.port, show)


def _tell(wishes: AppOptions, app: kept.CreatedApp) -> None:
    folder, install = wishes.folder, f"{app.html_url}/installations/new"
    settings = folder / kept.SETTINGS_FILE
    file = shlex.quote(str(settings))
    wishes.say(
        f"The App {app.slug} was made. Its key and its webhook secret are in {folder}, readable by you alone."
    )
    wishes.say(f"1. Install it on your repositories: {install}")
    wishes.say(f"2. Enter the model's key in the last line of {settings}.")
    wishes.say("3. Check and start:")
    for line in (f"set -a; . {file}; set +a", "claude-pool-gh doctor", "claude-pool-gh serve"):
        wishes.say(f"     {line}")
    if wishes.as_json:
        key = str(folder / kept.KEY_FILE)
        made = {"app_id": app.id, "slug": app.slug, "install": install}
        echo_json(json.dumps({**made, "settings": str(settings), "private_key": key}, indent=2))
