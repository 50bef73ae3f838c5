"""Run a workflow here, a file or one by name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.script_flags import script_flags, script_options

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import script
else:
    script = deferred("claude_pool_gh.service.shell.script")


@click.command
@click.argument("workflow")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--approve", is_flag=True, help="Approve every gate without being asked.")
@script_flags
def command(workflow: str, arguments: tuple[str, ...], *, approve: bool, **given: Any) -> None:
    """Run a workflow, a file or one by name, with its arguments. `claude-pool-gh workflow list` names them.

    At a gate it shows the patch and asks; where nobody can be asked, the chain waits for `claude-pool-gh pool approve`.
    The last step's answer goes to standard output, everything else to standard error.

    Exit codes: 0 done, 1 failed, 2 waits for approval, 130 interrupted.

    \b
    Examples:
        claude-pool-gh chain review_and_fix review_target=src
        claude-pool-gh chain release.yml version=1.4 --approve
    """  # noqa: D301 - click wants the character itself
    named = dict(_key_and_value(each) for each in arguments)
    sys.exit(
        interruptible.run(script.chain(script_options(given), workflow, named, approve=approve))
    )


def _key_and_value(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator:
        raise click.UsageError(f"{given!r} is not KEY=VALUE")
    return key, value
