"""Audit a checkout, or many repositories on GitHub, whole and in parts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from claude_pool_gh.service import interruptible
from claude_pool_gh.service.audit.fleet.options import (
    Filters,
    FleetOptions,
    Installations,
    Named,
    Organization,
    Source,
    checked_name,
)
from claude_pool_gh.service.audit.options import FORMS, AuditOptions, Form
from claude_pool_gh.service.command_line.common_flags import EFFORT, json_flag
from claude_pool_gh.service.command_line.deferred import deferred
from claude_pool_gh.service.command_line.options import PositiveNumber, settings_flags, settings_of

if TYPE_CHECKING:
    from claude_pool_gh.service.audit import local, refused
    from claude_pool_gh.service.audit.fleet import run
else:
    refused = deferred("claude_pool_gh.service.audit.refused")
    local = deferred("claude_pool_gh.service.audit.local")
    run = deferred("claude_pool_gh.service.audit.fleet.run")

_GITHUB: Final = ("app_id", "private_key_file", "github_api_url", "github_server_url")


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
    "--slots",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Agents that run at the same time. Default: as the configuration says, else 4. "
    "A fleet's repositories share them; default: 4.",
)
@click.option(
    "--budget",
    type=PositiveNumber(100_000),
    metavar="USD",
    help="Maximum cost of the run. For one checkout it also replaces the limit of each agent run (`budget.task`); "
    "default: 3, or less if the configuration says so. A run is resumed with the budget it began with. "
    "A fleet requires it: the maximum for all repositories together.",
)
@click.option(
    "--model",
    metavar="ID",
    help="Full id of the model; goes before the configuration and recipes. "
    "Default: as those say, else CLAUDE_POOL_MODEL.",
)
@EFFORT
@click.option(
    "--timeout",
    type=PositiveNumber(30 * 86_400),
    metavar="SECONDS",
    help="The longest that one agent run may take. Default: as the configuration says (`wall_minutes`), else 900.",
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
@click.option("--org", metavar="NAME", help="Audit the repositories of an organization on GitHub.")
@click.option(
    "--installation",
    is_flag=False,
    flag_value="all",
    metavar="[ID]",
    help="Audit the repositories on which your GitHub App is installed; needs --app-id and --private-key-file.",
)
@click.option(
    "--repos",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Audit the repositories that a file names, OWNER/NAME in each line.",
)
@click.option(
    "--budget-each",
    type=PositiveNumber(100_000),
    metavar="USD",
    help="Of a fleet, the most that one repository may cost, if its configuration asks for more. Default: 3.",
)
@click.option(
    "--topic", metavar="NAME", multiple=True, help="Of a fleet, only repositories with this topic."
)
@click.option(
    "--language",
    metavar="NAME",
    multiple=True,
    help="Of a fleet, only repositories in this language.",
)
@click.option("--archived", is_flag=True, help="Of a fleet, archived repositories too.")
@click.option(
    "--max-size",
    type=click.IntRange(1, 1_000_000),
    default=1_000,
    show_default=True,
    metavar="MB",
    help="Of a fleet, no repositories that are larger; they are listed with that reason.",
)
@click.option("--fresh", is_flag=True, help="Drop an unfinished run instead of resuming it.")
@json_flag
@settings_flags(*_GITHUB)
def command(path: Path | None, **given: Any) -> None:
    """Audit the commit that is checked out in PATH, by default here, or many repositories on GitHub.

    Needs ANTHROPIC_API_KEY; for repositories on GitHub also GITHUB_TOKEN, or GitHub's program `gh` signed in.

    Agents read the files in parts, and fresh ones verify what is serious. report.md, .json, .html and .sarif are
    written to a folder. What is found is remembered: the next run tells what is new, still open and fixed. A run that
    was killed, or stopped with Ctrl-C, is resumed by the same command, which pays for nothing twice.

    With --org, --installation or --repos, the default branches of many repositories are audited under one --budget.
    overview.md, .json and .html have a row for each, and OWNER/NAME its own reports. What goes wrong with one
    repository costs only that one.

    \b
    Exit codes:
        0    everything was read, and nothing is open
        1    everything was read, and something is open
        2    something was not read or not settled, or the audit could not run
        130  interrupted; the reports say what was found until then

    \b
    Examples:
        claude-pool-gh audit --plan
        claude-pool-gh audit ~/shop --audit security --budget 5
        claude-pool-gh audit --only "src/**" --format html --format sarif --out build
        claude-pool-gh audit --org octo --topic payments --audit security --budget 50
    """  # noqa: D301 - click wants the character itself
    with refused.coded():
        sys.exit(_audit(path, given))


def _audit(path: Path | None, given: Mapping[str, Any]) -> int:
    source = _source(given)
    if source is not None and path is not None:
        raise click.UsageError("give a PATH, or --org, --installation or --repos, not both")
    options = AuditOptions(
        settings=settings_of({"model": given["model"], **{name: given[name] for name in _GITHUB}}),
        audit=given["audit"],
        only=given["only"],
        plan_only=given["plan_only"],
        slots=given["slots"],
        budget_usd=given["budget"],
        most_usd=None,
        model=given["model"],
        effort=given["effort"],
        timeout_secs=given["timeout"],
        out=given["out"],
        forms=tuple(map(Form, given["forms"])) or FORMS,
        as_json=given["as_json"],
        state=given["state_dir"],
        fresh=given["fresh"],
    )
    if source is None:
        return interruptible.run(local.audit(options, path or Path()))
    fleet = FleetOptions(
        each=replace(options, budget_usd=None, most_usd=given["budget_each"]),
        source=source,
        filters=Filters(
            topics=frozenset(each.lower() for each in given["topic"]),
            languages=frozenset(each.lower() for each in given["language"]),
            archived=given["archived"],
            most_megabytes=given["max_size"],
        ),
        budget_usd=given["budget"],
    )
    return interruptible.run(run.audit(fleet))


def _source(given: Mapping[str, Any]) -> Source | None:
    """The fleet that is asked for; None where there is none. Raises UsageError for more than one."""
    named = [name for name in ("org", "installation", "repos") if given[name] is not None]
    if len(named) > 1:
        raise click.UsageError(f"give only one of --{' and --'.join(named)}")
    if given["org"] is not None:
        return Organization(given["org"])
    if (asked := given["installation"]) is not None:
        if asked != "all" and not asked.isdecimal():
            raise click.UsageError(f"{asked} is no id of an installation: a number, or nothing")
        return Installations(None if asked == "all" else int(asked))
    return None if given["repos"] is None else _named(given["repos"])


def _named(file: Path) -> Named:
    """The repositories that a file names, each once; empty lines and those with # are passed over."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    names = tuple(dict.fromkeys(line for line in lines if line))
    if not names:
        raise click.UsageError(f"{file} names no repository")
    try:
        return Named(file, tuple(map(checked_name, names)))
    except ValueError as error:
        raise click.UsageError(f"{file}: {error}") from error
