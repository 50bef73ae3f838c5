"""Print every effective value, and where it comes from."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from claude_pool_gh.config.load import Faults, Layer, flat, merge
from claude_pool_gh.conversation.verb_names import verb_names
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.plain import echo, echo_json


@click.command
@click.argument(
    "files", nargs=-1, required=True, type=click.File(errors="replace"), metavar="FILE..."
)
@json_flag
def command(files: tuple[Any, ...], *, as_json: bool) -> None:
    """Print every effective value of a configuration file, and where it comes from.

    Several files are merged key by key, as an organization's defaults and a repository's own file are.

    \b
    Examples:
        claude-pool-gh config show .github/claude-pool.yml
        claude-pool-gh config show ~/org-defaults/.github/claude-pool.yml .github/claude-pool.yml --json
    """  # noqa: D301 - click wants the character itself
    found = merge([Layer(file.name, file.read()) for file in files], verb_names())
    if isinstance(found, Faults):
        for fault in found.faults:
            echo(f"{found.file}: {fault}", err=True)
        sys.exit(1)
    if as_json:
        whole = {
            key: {"value": value, "source": found.source(key)}
            for key, value in flat(found.value).items()
        }
        echo_json(json.dumps(whole, indent=2))
        return
    for key, value in flat(found.value).items():
        echo(f"{key}: {json.dumps(value)}  # {found.source(key)}")
