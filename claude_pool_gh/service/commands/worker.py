"""Run what the server has accepted, here or on another machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.server import serve as server
    from claude_pool_gh.service.server import worker as workers
else:
    server = deferred("claude_pool_gh.service.server.serve")
    workers = deferred("claude_pool_gh.service.server.worker")


@click.command
@settings_flags()
def command(**given: Any) -> None:
    """Run agents for the server of the GitHub App, on this machine: as many of these as you like, on any machines.

    The server and its workers share one PostgreSQL (CLAUDE_POOL_DATABASE_URL), which is their queue, and have the same
    settings and secrets: give every worker what the server has. A worker listens on no port, so it needs no
    CLAUDE_POOL_WEBHOOK_SECRET unless CLAUDE_POOL_PUBLIC_URL is set. It needs git, reaches GitHub and the model's API,
    and keeps mirrors and worktrees in its own CLAUDE_POOL_STATE_DIR; nothing in there has to be kept or shared.

    \b
    On the server, so that it only accepts:    claude-pool-gh serve --slots 0
    On each other machine:                     claude-pool-gh worker --slots 8

    Stop a worker with SIGTERM. It takes nothing more, gives back what waits, lets running agents end for
    CLAUDE_POOL_STOP_TIMEOUT seconds, and leaves the rest to other workers; give your supervisor a little longer than
    that. When a worker dies, others go on with its work within 15 seconds; steps that had ended are not run again.
    """  # noqa: D301 - click wants the character itself
    settings = settings_of(given)
    try:
        interruptible.run(workers.work(settings))
    except server.StartError as error:
        raise click.ClickException(
            f"{error}\n`claude-pool-gh doctor` checks everything."
        ) from error
