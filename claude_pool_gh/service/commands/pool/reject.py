"""Send back what a chain waits for, with what should be different."""

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
@click.argument("feedback")
@decision_flags
def command(chain_id: str, feedback: str, *, only_decide: bool, **given: Any) -> None:
    """Send back what a chain waits for. The step runs again with all feedback so far, and its cost.

    \b
    Example:
        claude-pool-gh pool reject chain-0fecd9d0c81f8b1d7f1e "keep the old flag working"
    """  # noqa: D301 - click wants the character itself
    options = pool_control.DecisionOptions(
        deed="reject",
        chain_id=chain_id,
        feedback=feedback,
        only_decide=only_decide,
        run=run_options(given),
    )
    sys.exit(interruptible.run(pool_control.decide(options)))
