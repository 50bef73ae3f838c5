"""Flags that several commands have, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from claude_pool_gh.service.command_line.common_flags import Command
from claude_pool_gh.service.log import logs
from claude_pool_gh.service.settings import (
    Settings,
    SettingsError,
    read,
    read_what_can_be,
    variable,
)

READING: Final = ("state_dir", "database_url")
"""The settings of a command that only reads what is stored."""


class SettingType(click.types.StringParamType):
    """The value of a setting: help and completion know its kind; `settings_of` checks it, with all others at once."""

    def __init__(self, setting: str) -> None:
        described = _schema()[setting]
        parts = (described, *described.get("anyOf", ()))
        merged = {key: value for part in parts for key, value in part.items() if value != "null"}
        path = {"private_key_file": "file", "state_dir": "folder"}
        self.name = path.get(setting) or {"string": "text"}.get(merged["type"], merged["type"])
        self.words = ("true", "false") if self.name == "boolean" else tuple(merged.get("enum", ()))
        self.bounds = _bounds(merged)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The text behind the flag in the help, such as `INTEGER 0..64`."""
        if self.words:
            return f"[{'|'.join(self.words)}]"
        return f"{self.name.upper()} {self.bounds}".strip()

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete paths; offer the words of a choice."""
        if self.name in ("file", "folder"):
            return click.Path(file_okay=self.name == "file").shell_complete(ctx, param, incomplete)
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


def settings_flags(*names: str) -> Callable[[Command], Command]:
    """Give a command a flag for each of these settings, or for all; a flag wins over its environment variable.

    A secret has none: every user of the machine sees a command line.
    """

    def decorate(command: Command) -> Command:
        for name in reversed(names or tuple(Settings.model_fields)):
            if not is_secret(name):
                command = _flag(name)(command)
        return command

    return decorate


def store_flags(command: Command) -> Command:
    """Give a command the flags for another store than those of the chains that were started here."""
    texts = {
        "state_dir": "Folder of the store, such as a server's. Default: those of chains that were started here",
        "database_url": "The store as sqlite:////path or postgresql://...",
    }
    for name in reversed(READING):
        command = _flag(name, texts[name])(command)
    return command


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings; a flag that is empty counts as not given, as an empty variable does.

    Raises ClickException with everything that is wrong.
    """
    try:
        settings = read(_without_empty(given))
    except SettingsError as error:
        raise click.ClickException(
            "\n".join(("these settings cannot be used:", *error.faults))
        ) from error
    logs.configure(settings.log, settings.log_level, secrets=settings.all_secrets)
    return settings


def usable_settings_of(given: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """The settings with the default in place of each that is wrong, and everything that is wrong."""
    return read_what_can_be(_without_empty(given))


def _without_empty(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value not in (None, "")}


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


def is_secret(setting: str) -> bool:
    """True for a setting that no command line may hold."""
    return "secret" in setting or ("key" in setting and not setting.endswith("_file"))


def _flag(name: str, told: str = "") -> Callable[[Command], Command]:
    field = Settings.model_fields[name]
    default = "" if told or field.default in (None, "") else f", default {field.default}"
    text = f"{told or field.description or ''} [{variable(name)}{default}]".strip()
    return click.option(
        f"--{name.replace('_', '-')}", name, type=SettingType(name), default=None, help=text
    )


@cache
def _schema() -> dict[str, Any]:
    described: dict[str, Any] = Settings.model_json_schema(by_alias=False)["properties"]
    return described


def _bounds(schema: Mapping[str, Any]) -> str:
    """The range of a number, as help texts show it; "" where there is none."""
    if (above := schema.get("exclusiveMinimum")) is not None:
        return f"above {above:g}"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is None:
        return ""
    return f"{least:g}.." if most is None else f"{least:g}..{most:g}"
