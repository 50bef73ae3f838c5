"""Check a configuration file; print each error with its line."""

from __future__ import annotations

import sys
from typing import Any

import click

from claude_pool_gh.config.load import load
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.verb_names import verb_names


@click.command
@click.argument("file", type=click.File(errors="replace"))
def command(file: Any) -> None:
    """Check a configuration file; print each error with its line."""
    found = load(file.read(), verb_names())
    if isinstance(found, RepositoryConfig):
        click.echo("no errors")
        return
    for fault in found:
        click.echo(f"{file.name}: {fault}", err=True)
    sys.exit(1)
