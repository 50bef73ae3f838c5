"""Flags of the commands that decide on a chain and let it go on here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from claude_pool_gh.service.command_line.common_flags import EFFORT, Command, folder_flag, json_flag
from claude_pool_gh.service.command_line.options import READING, settings_of, store_flags
from claude_pool_gh.service.command_line.script_flags import MODEL, SLOTS, TIMEOUT, TRUSTED
from claude_pool_gh.service.shell.script_options import ScriptOptions


def decision_flags(command: Command) -> Command:
    """Give a command the flags that say where the chain is, and how it is carried on."""
    only = click.option(
        "--no-wait", "only_decide", is_flag=True, help="Only decide; nothing runs now."
    )
    for option in (
        store_flags,
        MODEL,
        EFFORT,
        json_flag,
        TIMEOUT,
        TRUSTED,
        SLOTS,
        folder_flag,
        only,
    ):
        command = option(command)
    return command


def run_options(given: Mapping[str, Any]) -> ScriptOptions:
    """The options that the flags ask for. Raises ClickException for settings that cannot be used."""
    settings = {name: given[name] for name in (*READING, "model")}
    return ScriptOptions(
        settings=settings_of(settings),
        folder=given["folder"],
        state=None,
        slots=given["slots"],
        isolation=None,
        trusted=given["trusted"],
        as_json=given["as_json"],
        budget_usd=given.get("budget"),
        effort=given["effort"],
        timeout_secs=given["timeout"],
    )
