"""The command line."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import click

from claude_pool_gh.service.settings import PREFIX, Settings

_UNPREFIXED = {"anthropic_api_key", "anthropic_base_url", "github_api_url", "github_server_url"}


def _with_settings(command: Any) -> Any:
    """Give a command a flag for every setting; a flag wins over its environment variable."""
    for name, field in reversed(Settings.model_fields.items()):
        if "secret" in name or ("key" in name and not name.endswith("_file")):
            continue  # a secret on a command line is seen by every user of the machine
        variable = name.upper() if name in _UNPREFIXED else f"{PREFIX}{name.upper()}"
        default = "" if field.default in (None, "") else f", default {field.default}"
        text = f"{field.description or ''} [{variable}{default}]".strip()
        command = click.option(f"--{name.replace('_', '-')}", name, default=None, help=text)(command)
    return command


def _settings(given: dict[str, Any]) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@click.group(context_settings={"max_content_width": 110})
@click.version_option(package_name="claude-pool-gh")
def main() -> None:
    """A pool of Claude agents at a GitHub repository's service."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


@main.command()
@_with_settings
def serve(**given: Any) -> None:
    """Listen for the GitHub App's webhooks and do what people ask.

    Secrets come from the environment only: CLAUDE_POOL_WEBHOOK_SECRET, CLAUDE_POOL_PRIVATE_KEY (or
    --private-key-file) and ANTHROPIC_API_KEY. `claude-pool-gh doctor` says what is missing.
    """
    from claude_pool_gh.service.serve import check  # noqa: PLC0415 - `--help` should not wait for the engine
    from claude_pool_gh.service.serve import serve as run  # noqa: PLC0415

    settings = _settings(given)
    try:
        check(settings)
    except ValueError as error:
        raise click.ClickException(f"{error}\n`claude-pool-gh doctor` checks everything.") from error
    asyncio.run(run(settings))


@main.command()
@click.argument("chain_id")
@click.option("--step", help="Only the runs of this step, with everything the agents said and did.")
@_with_settings
def show(chain_id: str, step: str | None, **given: Any) -> None:
    """Print what happened in a chain: its steps, costs and, with --step, the redacted transcript."""
    from claude_pool_gh.service.show import show as print_chain  # noqa: PLC0415

    asyncio.run(print_chain(_settings(given), chain_id, step))


@main.command()
@_with_settings
def doctor(**given: Any) -> None:
    """Check App, installation, permissions, events, keys, CLI, git and database; say what to mend."""
    from claude_pool_gh.service.doctor import examine, print_findings  # noqa: PLC0415

    sys.exit(print_findings(examine(_settings(given))))


@main.group()
def config() -> None:
    """The repository's configuration file, .github/claude-pool.yml."""


@config.command("schema")
def config_schema() -> None:
    """Print its JSON Schema, for editors."""
    from claude_pool_gh.config.model import RepositoryConfig  # noqa: PLC0415

    click.echo(json.dumps(RepositoryConfig.model_json_schema(), indent=2))


@config.command("check")
@click.argument("file", type=click.File())
def config_check(file: Any) -> None:
    """Say what is wrong with a configuration file, line by line."""
    from claude_pool_gh.config.load import load  # noqa: PLC0415
    from claude_pool_gh.config.model import RepositoryConfig  # noqa: PLC0415
    from claude_pool_gh.conversation.verbs import rooms  # noqa: PLC0415

    found = load(file.read(), frozenset(rooms()))
    if isinstance(found, RepositoryConfig):
        click.echo("all right")
        return
    for fault in found:
        click.echo(f"{file.name}: {fault}", err=True)
    sys.exit(1)


@main.command()
@click.option("--live", is_flag=True, help="Use the real model, with ANTHROPIC_API_KEY; costs a few cents.")
def rehearse(*, live: bool) -> None:
    """Show a whole review on this machine, against a simulated GitHub and, unless --live, a scripted model."""
    from claude_pool_gh.service.rehearse import rehearse as run  # noqa: PLC0415

    sys.exit(asyncio.run(run(live=live)))


@main.command()
def action() -> None:
    """Handle the event of a GitHub Actions job; action.yml calls this."""
    from claude_pool_gh.service.action import main as run  # noqa: PLC0415

    sys.exit(asyncio.run(run()))


if __name__ == "__main__":
    main()
