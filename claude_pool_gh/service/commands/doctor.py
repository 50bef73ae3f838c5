"""Check everything that a server needs, and say what to fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service import doctor as checks
else:
    checks = deferred("claude_pool_gh.service.doctor")


@click.command
@settings_flags()
def command(**given: Any) -> None:
    """Check App, installation, permissions, events, keys, CLI, git and database; say what to fix."""
    sys.exit(checks.print_findings(checks.examine(settings_of(given))))
