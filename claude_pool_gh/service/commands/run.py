"""Run one prompt here, from a script or a shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.service import interruptible
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.script_flags import script_flags, script_options

if TYPE_CHECKING:
    from claude_pool_gh.service.shell import script
else:
    script = deferred("claude_pool_gh.service.shell.script")


@click.command
@click.argument("prompt")
@click.option(
    "--tools", metavar="NAMES", help="The agent's tools, comma-separated. Default: Read,Grep,Glob."
)
@click.option(
    "--allow",
    metavar="RULE",
    multiple=True,
    help="A permission rule, such as Edit: what the agent may do without asking.",
)
@click.option(
    "--turns", metavar="N", type=click.IntRange(1, 500), help="Maximum turns. Default: 30."
)
@script_flags
def command(
    prompt: str,
    tools: str | None,
    allow: tuple[str, ...],
    turns: int | None,
    **given: Any,
) -> None:
    """Run one prompt on a slot, here. Needs ANTHROPIC_API_KEY.

    The answer goes to standard output, progress and cost to standard error. Exit codes: 0 done, 1 failed, 130
    interrupted.

    \b
    Examples:
        claude-pool-gh run "Explain this repository in five lines"
        claude-pool-gh run "Fix the typos in docs" --tools Read,Edit --allow Edit --isolation worktree
        claude-pool-gh run "Which module has no test?" --budget 0.50 --json
    """  # noqa: D301 - click wants the character itself
    named = (
        None if tools is None else tuple(filter(None, (tool.strip() for tool in tools.split(","))))
    )
    overrides = TaskOverrides.model_validate(
        {"tools": named, "allowed_tools": allow or None, "max_turns": turns}
    )
    sys.exit(interruptible.run(script.run(script_options(given), prompt, overrides)))
