"""Flags that several commands have, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from claude_pool_gh.service.settings import Settings, SettingsError, read, variable

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_flags(command: Command) -> Command:
    """Give a command a flag for every setting; a flag wins over its environment variable."""
    for name, field in reversed(Settings.model_fields.items()):
        if "secret" in name or ("key" in name and not name.endswith("_file")):
            continue  # a secret on a command line is seen by every user of the machine
        default = "" if field.default in (None, "") else f", default {field.default}"
        text = f"{field.description or ''} [{variable(name)}{default}]".strip()
        flag = f"--{name.replace('_', '-')}"
        command = click.option(flag, name, default=None, help=text)(command)
    return command


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings; a flag that is empty counts as not given, as an empty variable does.

    Raises ClickException with everything that is wrong.
    """
    try:
        return read({name: value for name, value in given.items() if value not in (None, "")})
    except SettingsError as error:
        raise click.ClickException(
            "\n".join(("these settings cannot be used:", *error.faults))
        ) from error


class PositiveNumber(click.FloatRange):
    """A number above zero. `nan` compares with nothing, so a range alone lets it pass."""

    name = "number"

    def __init__(self, most: float) -> None:
        super().__init__(0, most, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. Raises BadParameter."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number that can be used here", param, ctx)
        return number
