"""Run a chain that has ended once more, from its beginning."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.decision_flags import decision_flags, run_options
from claude_pool_gh.service.command_line.deferred import deferred

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import pool_control
else:
    pool_control = deferred("claude_pool_gh.service.shell.pool_control")


@click.command
@click.argument("chain_id", metavar="ID")
@decision_flags
def command(chain_id: str, *, only_decide: bool, **given: Any) -> None:
    """Run a chain that has ended once more, from its beginning.

    It has the same steps and arguments, and works on the commit that is checked out now. Its new ID is printed.

    \b
    Example:
        claude-pool-gh pool retry chain-0fecd9d0c81f8b1d7f1e
    """  # noqa: D301 - click wants the character itself
    options = pool_control.DecisionOptions(
        deed="retry",
        chain_id=chain_id,
        only_decide=only_decide,
        run=run_options(given),
    )
    sys.exit(interruptible.run(pool_control.decide(options)))
