"""Check everything that a server needs, and say what to fix."""

from __future__ import annotations

import sys
from typing import Any

import click

from claude_pool_gh.service.command_line.options import settings_flags, settings_of
from claude_pool_gh.service.doctor import examine, print_findings


@click.command
@settings_flags
def command(**given: Any) -> None:
    """Check App, installation, permissions, events, keys, CLI, git and database; say what to fix."""
    sys.exit(print_findings(examine(settings_of(given))))
