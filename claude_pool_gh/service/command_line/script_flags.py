"""Flags of the commands that open a pool of their own, on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.service.command_line.options import PositiveNumber, settings_of
from claude_pool_gh.service.script_options import ScriptOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def script_flags(command: Command) -> Command:
    """Give a command the flags of a pool that is opened for it alone."""
    options = [
        click.option(
            "--slots",
            type=click.IntRange(1, 64),
            default=2,
            show_default=True,
            help="Agents that run at the same time.",
        ),
        click.option("--folder", default=".", help="Where agents work. Default: here."),
        click.option(
            "--isolation",
            type=click.Choice(["none", "worktree", "clone"]),
            help="Let agents work in git worktrees or clones of the folder; what they change is kept as a commit. "
            "Default: as the workflow says, else none.",
        ),
        click.option(
            "--trusted",
            is_flag=True,
            help="Allow tools that reach beyond the folder, such as Bash.",
        ),
        click.option(
            "--budget",
            type=PositiveNumber(100_000),
            help="Maximum cost in US dollars. Default: 1 per task, 3 per chain.",
        ),
        click.option(
            "--timeout",
            type=PositiveNumber(30 * 86_400),
            help="Seconds that one agent run may take. Default: 900.",
        ),
        click.option("--model", help="Full id of the model."),
        click.option(
            "--state-dir", help="Keep the pool's database here, so that interrupted work resumes."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def script_options(given: Mapping[str, Any]) -> ScriptOptions:
    """What the flags ask for. Raises ClickException for settings that cannot be used."""
    state = given["state_dir"]
    return ScriptOptions(
        settings=settings_of({"model": given["model"], "state_dir": state}),
        folder=Path(given["folder"]),
        state=None if state is None else Path(state),
        slots=given["slots"],
        isolation=None if given["isolation"] is None else Isolation(given["isolation"]),
        trusted=given["trusted"],
        as_json=given["as_json"],
        budget_usd=given["budget"],
        timeout_secs=given["timeout"],
    )
