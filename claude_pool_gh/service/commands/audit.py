"""Audit a checkout, or many repositories: read all of it in parts, and report what a second agent confirms."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from claude_pool_gh.service.audit.options import FORMS, AuditOptions, Form
from claude_pool_gh.service.command_line.common_flags import json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import PositiveNumber, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.audit import local
else:
    local = deferred("claude_pool_gh.service.audit.local")


@click.command
@click.argument(
    "path", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--audit",
    default="defects",
    show_default=True,
    metavar="NAME",
    help="The audit: defects, security, tests, docs, dead-code, or one of `audits:` in the configuration.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Read only these paths, written as in CODEOWNERS. Can be given several times.",
)
@click.option(
    "--plan",
    "plan_only",
    is_flag=True,
    help="Show parts and estimate; needs no key and spends nothing.",
)
@click.option(
    "--slots", type=click.IntRange(1, 64), help="Agents that run at the same time. Default: 4."
)
@click.option(
    "--budget",
    type=PositiveNumber(100_000),
    metavar="USD",
    help="Maximum cost of the run. Default: as the configuration says, else 3.",
)
@click.option("--model", help="Full id of the model.")
@click.option(
    "--timeout",
    type=PositiveNumber(30 * 86_400),
    help="Seconds that one agent run may take. Default: 900.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("claude-pool-audit"),
    show_default=True,
    help="Folder for the reports.",
)
@click.option(
    "--format",
    "forms",
    multiple=True,
    type=click.Choice([each.value for each in Form]),
    help="Form of the reports. Can be given several times. Default: all.",
)
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep runs and findings here. Default: a place for each folder below ~/.local/state/claude-pool.",
)
@click.option("--fresh", is_flag=True, help="Drop an unfinished run in place of going on with it.")
@json_flag
def command(path: Path | None, **given: Any) -> None:
    """Audit the commit that is checked out in PATH, by default here. Needs ANTHROPIC_API_KEY, and no GitHub.

    Agents read the files in parts, and fresh ones verify what is serious. report.md, .json, .html and .sarif are
    written to a folder. What is found is remembered: the next run tells what is new, still open and fixed. A run that
    was killed, or stopped with Ctrl-C, goes on when the same command is given again, and pays for nothing twice.

    \b
    Exit codes:
        0    everything was read, and nothing is open
        1    everything was read, and something is open
        2    something was not read or not settled, or the audit could not run
        130  interrupted; the reports say what was found until then

    \b
    Examples:
        claude-pool-gh audit --plan
        claude-pool-gh audit ~/work/shop --audit security --budget 5
        claude-pool-gh audit --only "src/**" --format html --format sarif --out build
    """  # noqa: D301 - click wants the character itself
    options = AuditOptions(
        settings=settings_of({"model": given["model"]}),
        audit=given["audit"],
        only=given["only"],
        plan_only=given["plan_only"],
        slots=given["slots"],
        budget_usd=given["budget"],
        model=given["model"],
        timeout_secs=given["timeout"],
        out=given["out"],
        forms=tuple(map(Form, given["forms"])) or FORMS,
        as_json=given["as_json"],
        state=given["state_dir"],
        fresh=given["fresh"],
    )
    sys.exit(asyncio.run(local.audit(options, path or Path())))
