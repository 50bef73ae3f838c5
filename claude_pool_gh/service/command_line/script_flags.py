"""Flags of the commands that open a pool of their own, on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.service.command_line.common_flags import EFFORT, Command, json_flag
from claude_pool_gh.service.command_line.options import PositiveNumber, settings_of
from claude_pool_gh.service.shell.script_options import ScriptOptions

SLOTS: Final = click.option(
    "--slots",
    type=click.IntRange(1, 64),
    metavar="N",
    default=2,
    show_default=True,
    help="Agents that run at the same time.",
)
TRUSTED: Final = click.option(
    "--trusted", is_flag=True, help="Allow tools that reach beyond the folder, such as Bash."
)
TIMEOUT: Final = click.option(
    "--timeout",
    type=PositiveNumber(30 * 86_400),
    metavar="SECONDS",
    help="The longest that one agent run may take. Default: 900.",
)
_FOLDER: Final = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where agents work. Default: here.",
)
_ISOLATION: Final = click.option(
    "--isolation",
    type=click.Choice([each.value for each in Isolation]),
    help="Let agents work in git worktrees or clones of the folder; what they change is kept as a commit. "
    "Default: as the workflow says, else none.",
)
_BUDGET: Final = click.option(
    "--budget",
    type=PositiveNumber(100_000),
    metavar="USD",
    help="Maximum cost. Default: 1 per task, 3 per chain.",
)
MODEL: Final = click.option(
    "--model", metavar="ID", help="Full id of the model, where the workflow names none."
)
_STATE: Final = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pool's database, from which interrupted work resumes. Default: none for a prompt; for a chain "
    "a folder of its own, in which `claude-pool-gh pool` finds it.",
)


def script_flags(command: Command) -> Command:
    """Give a command the flags of a pool that is opened for it alone."""
    flags = (
        json_flag,
        _STATE,
        EFFORT,
        MODEL,
        TIMEOUT,
        _BUDGET,
        TRUSTED,
        _ISOLATION,
        _FOLDER,
        SLOTS,
    )
    for flag in flags:
        command = flag(command)
    return command


def script_options(given: Mapping[str, Any]) -> ScriptOptions:
    """The options that the flags ask for. Raises ClickException for settings that cannot be used."""
    asked = given["isolation"]
    return ScriptOptions(
        settings=settings_of({"model": given["model"], "state_dir": given["state_dir"]}),
        folder=given["folder"],
        state=given["state_dir"],
        slots=given["slots"],
        isolation=None if asked is None else Isolation(asked),
        trusted=given["trusted"],
        as_json=given["as_json"],
        budget_usd=given["budget"],
        effort=given["effort"],
        timeout_secs=given["timeout"],
    )
