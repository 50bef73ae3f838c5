"""Continue a chain that stopped early, from where it stopped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.decision_flags import decision_flags, run_options
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import PositiveNumber

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import pool_control
else:
    pool_control = deferred("claude_pool_gh.service.shell.pool_control")


@click.command
@click.argument("chain_id", metavar="ID")
@click.option(
    "--budget",
    type=PositiveNumber(100_000),
    metavar="USD",
    help="Maximum cost of what is left. Default: as before.",
)
@decision_flags
def command(chain_id: str, *, only_decide: bool, **given: Any) -> None:
    """Continue a chain that was interrupted, failed, or ran out of money or turns.

    Finished steps are kept and not paid for again. A chain that had ended continues under a new ID, which is printed.

    \b
    Example:
        claude-pool-gh pool continue chain-0fecd9d0c81f8b1d7f1e --budget 5
    """  # noqa: D301 - click wants the character itself
    options = pool_control.DecisionOptions(
        deed="continue",
        chain_id=chain_id,
        only_decide=only_decide,
        run=run_options(given),
    )
    sys.exit(interruptible.run(pool_control.decide(options)))
