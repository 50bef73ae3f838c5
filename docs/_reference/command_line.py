"""The commands of the shell, from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from claude_pool_gh.service.cli import main
from claude_pool_gh.service.settings import Settings
from docs._reference.markdown import code, sentence, table

_MANY = len(Settings.model_fields) // 2
"""A command with more settings than that has them all."""


def page() -> str:
    """A section for each command."""
    return "".join(_section(path, command) for path, command in commands(main))


def commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of a group and of the groups in it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        elif command is not None:
            yield (*before, name), command


def _section(path: tuple[str, ...], command: click.Command) -> str:
    name = " ".join(("claude-pool-gh", *path))
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    text = f"## `{' '.join(path)}`\n\n```text\n{name} {usage}\n```\n\n{_prose(command.help or '')}"
    options = [each for each in command.params if isinstance(each, click.Option)]
    settings = [each for each in options if each.name in Settings.model_fields]
    if len(settings) > _MANY:
        options = [each for each in options if each not in settings]
        text += "Takes every setting of a server as a flag: see [Settings](settings.md).\n\n"
    rows = [row for each in options if (row := each.get_help_record(context))]
    if rows:
        text += table(("flag", "meaning"), ((_flag(flag), sentence(what)) for flag, what in rows))
    return text


def _flag(text: str) -> str:
    """A flag as code, which may be broken between the values of a choice."""
    return code(text.replace("|", "|\u200b"))


def _prose(text: str) -> str:
    """The help of a command as Markdown: what click shows line by line is a block of code."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.splitlines()[1:]
            if lines and not lines[0].startswith(" ") and lines[0].rstrip().endswith(":"):
                parts.append(lines.pop(0))
            parts.append("```text\n" + inspect.cleandoc("\n".join(lines)) + "\n```")
        else:
            parts.append(" ".join(paragraph.split()))
    return "".join(f"{part}\n\n" for part in parts if part)
