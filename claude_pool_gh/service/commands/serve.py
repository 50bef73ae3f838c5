"""Run the server of the GitHub App."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.server import serve as server
else:
    server = deferred("claude_pool_gh.service.server.serve")


@click.command
@settings_flags()
def command(**given: Any) -> None:
    """Listen for the GitHub App's webhooks and run the commands in them.

    Secrets come from the environment only: CLAUDE_POOL_WEBHOOK_SECRET, CLAUDE_POOL_PRIVATE_KEY (or
    --private-key-file) and ANTHROPIC_API_KEY. `claude-pool-gh doctor` says what is missing.

    \b
    Example:
        claude-pool-gh serve --host 0.0.0.0 --slots 4 --state-dir /var/lib/claude-pool
    """  # noqa: D301 - click wants the character itself
    settings = settings_of(given)
    try:
        server.check(settings)
        interruptible.run(server.serve(settings))
    except server.StartError as error:
        raise click.ClickException(
            f"{error}\n`claude-pool-gh doctor` checks everything."
        ) from error
