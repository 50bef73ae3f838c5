"""Check everything that a server needs, and say what to fix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import settings_flags, usable_settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.doctor import doctor as checks
else:
    checks = deferred("claude_pool_gh.service.doctor.doctor")


@click.command
@json_flag
@settings_flags()
def command(*, as_json: bool, **given: Any) -> None:
    """Check settings, clock, keys, model, git, sandbox, database, disk, App and installations; say what to fix.

    It changes nothing. The exit status is 1 when something is to be fixed.

    \b
    Examples:
        claude-pool-gh doctor
        claude-pool-gh doctor --json
    """  # noqa: D301 - click wants the character itself
    found = checks.examine(*usable_settings_of(given))
    sys.exit(checks.print_json(found) if as_json else checks.print_findings(found))
