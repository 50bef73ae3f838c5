"""The command line."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from claude_pool_gh.service import logs
from claude_pool_gh.service.backup import backup, restore
from claude_pool_gh.service.init.command import init
from claude_pool_gh.service.settings import (
    Settings,
    SettingsError,
    read,
    read_what_can_be,
    variable,
)
from claude_pool_gh.storage.extras import MissingExtra, extras_named


def _with_settings(command: Any) -> Any:
    """Give a command a flag for every setting; a flag wins over its environment variable."""
    for name, field in reversed(Settings.model_fields.items()):
        if "secret" in name or ("key" in name and not name.endswith("_file")):
            continue  # a secret on a command line is seen by every user of the machine
        default = "" if field.default in (None, "") else f", default {field.default}"
        text = f"{field.description or ''} [{variable(name)}{default}]".strip()
        command = click.option(f"--{name.replace('_', '-')}", name, default=None, help=text)(
            command
        )
    return command


def _settings(given: dict[str, Any]) -> Settings:
    """The settings; a flag that is empty counts as not given, as an empty variable does."""
    try:
        settings = read({name: value for name, value in given.items() if value not in (None, "")})
        logs.configure(settings.log, settings.log_level)
        return settings  # noqa: TRY300 - what follows is about the reading
    except SettingsError as error:
        raise click.ClickException(
            "\n".join(("these settings cannot be used:", *error.faults))
        ) from error


class _Commands(click.Group):
    """Says in words where a command needs packages that are not installed."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with extras_named():
                return super().invoke(ctx)
        except MissingExtra as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"max_content_width": 110})
@click.version_option(package_name="claude-pool-gh")
def main() -> None:
    """Run pools of Claude agents on GitHub repositories."""
    logs.configure()


main.add_command(init)
main.add_command(backup)
main.add_command(restore)


@main.command(short_help="Run the server of the GitHub App.")
@_with_settings
def serve(**given: Any) -> None:
    """Listen for the GitHub App's webhooks and run the commands in them.

    Secrets come from the environment only: CLAUDE_POOL_WEBHOOK_SECRET, CLAUDE_POOL_PRIVATE_KEY (or
    --private-key-file) and ANTHROPIC_API_KEY. `claude-pool-gh doctor` says what is missing.
    """
    from claude_pool_gh.service.serve import StartError, check  # noqa: PLC0415 - `--help` should not wait for it
    from claude_pool_gh.service.serve import serve as run  # noqa: PLC0415

    settings = _settings(given)
    try:
        check(settings)
        asyncio.run(run(settings))
    except StartError as error:
        raise click.ClickException(
            f"{error}\n`claude-pool-gh doctor` checks everything."
        ) from error


@main.command(short_help="Run what the server has accepted, here or on another machine.")
@_with_settings
def worker(**given: Any) -> None:
    """Run agents for the server of the GitHub App, on this machine: as many of these as you like, on any machines.

    The server and its workers share one PostgreSQL (CLAUDE_POOL_DATABASE_URL), which is their queue, and have the same
    settings and secrets: give every worker what the server has. A worker listens on no port, so it needs no
    CLAUDE_POOL_WEBHOOK_SECRET unless CLAUDE_POOL_PUBLIC_URL is set. It needs git, reaches GitHub and the model's API,
    and keeps mirrors and worktrees in its own CLAUDE_POOL_STATE_DIR; nothing in there has to be kept or shared.

    \b
    On the server, so that it only accepts:    claude-pool-gh serve --slots 0
    On each other machine:                     claude-pool-gh worker --slots 8

    Stop a worker with SIGTERM. It takes nothing more, gives back what waits, lets running agents end for
    CLAUDE_POOL_STOP_TIMEOUT seconds, and leaves the rest to other workers; give your supervisor a little longer than
    that. When a worker dies, others go on with its work within 15 seconds; steps that had ended are not run again.
    """  # noqa: D301 - click wants the character itself
    from claude_pool_gh.service.serve import StartError  # noqa: PLC0415
    from claude_pool_gh.service.worker import work  # noqa: PLC0415

    settings = _settings(given)
    try:
        asyncio.run(work(settings))
    except StartError as error:
        raise click.ClickException(
            f"{error}\n`claude-pool-gh doctor` checks everything."
        ) from error


class _Positive(click.FloatRange):
    """A number above zero. `nan` compares with nothing, so a range alone lets it pass."""

    name = "number"

    def __init__(self, most: float) -> None:
        super().__init__(0, most, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number that can be used here", param, ctx)
        return number


def _for_scripts(command: Any) -> Any:
    """Flags of the commands that open a pool of their own."""
    options = [
        click.option(
            "--slots",
            type=click.IntRange(1, 64),
            default=2,
            show_default=True,
            help="Agents that run at the same time.",
        ),
        click.option("--folder", default=".", help="Where agents work. Default: here."),
        click.option(
            "--isolation",
            type=click.Choice(["none", "worktree", "clone"]),
            help="Let agents work in git worktrees or clones of the folder; what they change is kept as a commit. "
            "Default: as the workflow says, else none.",
        ),
        click.option(
            "--trusted",
            is_flag=True,
            help="Allow tools that reach beyond the folder, such as Bash.",
        ),
        click.option(
            "--budget",
            type=_Positive(100_000),
            help="Maximum cost in US dollars. Default: 1 per task, 3 per chain.",
        ),
        click.option(
            "--timeout",
            type=_Positive(30 * 86_400),
            help="Seconds that one agent run may take. Default: 900.",
        ),
        click.option("--model", help="Full id of the model."),
        click.option(
            "--state-dir", help="Keep the pool's database here, so that interrupted work resumes."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the whole result as JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _wishes(given: dict[str, Any]) -> Any:
    from claude_pool_gh.pool.model.config import Isolation  # noqa: PLC0415 - `--help` should not wait for the engine
    from claude_pool_gh.service.script import ScriptOptions  # noqa: PLC0415

    state = given["state_dir"]
    return ScriptOptions(
        settings=_settings({"model": given["model"], "state_dir": state}),
        folder=Path(given["folder"]),
        state=None if state is None else Path(state),
        slots=given["slots"],
        isolation=None if given["isolation"] is None else Isolation(given["isolation"]),
        trusted=given["trusted"],
        as_json=given["as_json"],
        budget_usd=given["budget"],
        timeout_secs=given["timeout"],
    )


@main.command("run", short_help="Run one prompt here, from a script or a shell.")
@click.argument("prompt")
@click.option("--tools", help="The agent's tools, comma-separated. Default: Read,Grep,Glob.")
@click.option(
    "--allow",
    multiple=True,
    help="A permission rule, such as Edit: what the agent may do without asking.",
)
@click.option(
    "--effort",
    type=click.Choice(["low", "medium", "high", "xhigh", "max"]),
    help="Reasoning effort.",
)
@click.option("--turns", type=click.IntRange(1, 500), help="Maximum turns. Default: 30.")
@_for_scripts
def run_prompt(
    prompt: str,
    tools: str | None,
    allow: tuple[str, ...],
    effort: str | None,
    turns: int | None,
    **given: Any,
) -> None:
    """Run one prompt on a slot, here: claude-pool-gh run "Explain this repository in five lines".

    The answer goes to standard output, progress and cost to standard error. Needs ANTHROPIC_API_KEY.
    """
    from claude_pool_gh.pool.model.config import TaskOverrides  # noqa: PLC0415
    from claude_pool_gh.service.script import run  # noqa: PLC0415

    named = (
        None if tools is None else tuple(filter(None, (tool.strip() for tool in tools.split(","))))
    )
    overrides = TaskOverrides.model_validate(
        {"tools": named, "allowed_tools": allow or None, "effort": effort, "max_turns": turns}
    )
    sys.exit(asyncio.run(run(_wishes(given), prompt, overrides)))


@main.command("chain", short_help="Run a workflow here, a file or one by name.")
@click.argument("workflow")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--approve", is_flag=True, help="Approve every gate without being asked.")
@_for_scripts
def run_chain(workflow: str, arguments: tuple[str, ...], *, approve: bool, **given: Any) -> None:
    """Run a workflow, a file or one by name: claude-pool-gh chain review_and_fix review_target=src.

    At a gate it shows what is waiting and asks. Progress goes to standard error, the last step's answer to standard
    output.
    """
    from claude_pool_gh.service.script import chain  # noqa: PLC0415

    named = dict(_key_and_value(each) for each in arguments)
    sys.exit(asyncio.run(chain(_wishes(given), workflow, named, approve=approve)))


def _key_and_value(given: str) -> tuple[str, str]:
    key, separator, value = given.partition("=")
    if not separator:
        raise click.UsageError(f"{given!r} is not KEY=VALUE")
    return key, value


@main.group("pool")
def pool_group() -> None:
    """Inspect a pool's database."""


@pool_group.command("status")
@_with_settings
def pool_status(**given: Any) -> None:
    """Show slots, tasks, unfinished chains and money."""
    from claude_pool_gh.service.script import status  # noqa: PLC0415

    asyncio.run(status(_settings(given)))


@main.command(short_help="Print what happened in a chain, and what its agents said.")
@click.argument("chain_id")
@click.option("--step", help="Only the runs of this step, with everything the agents said and did.")
@_with_settings
def show(chain_id: str, step: str | None, **given: Any) -> None:
    """Print what happened in a chain: its steps, costs and, with --step, the redacted transcript."""
    from claude_pool_gh.service.show import show as print_chain  # noqa: PLC0415

    asyncio.run(print_chain(_settings(given), chain_id, step))


@main.command(short_help="Check everything that a server needs, and say what to fix.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for monitors.")
@_with_settings
def doctor(*, as_json: bool, **given: Any) -> None:
    """Check settings, clock, keys, model, git, sandbox, database, disk, App and installations; say what to fix.

    It changes nothing. The exit status is 1 when something is to be fixed.
    """
    from claude_pool_gh.service.doctor import examine, print_findings, print_json  # noqa: PLC0415

    wanted = {name: value for name, value in given.items() if value not in (None, "")}
    settings, faults = read_what_can_be(wanted)
    sys.exit((print_json if as_json else print_findings)(examine(settings, faults)))


@main.group()
def config() -> None:
    """The repository's configuration file, .github/claude-pool.yml."""


@config.command("schema")
def config_schema() -> None:
    """Print its JSON Schema, for editors."""
    from claude_pool_gh.config.model import RepositoryConfig  # noqa: PLC0415

    click.echo(json.dumps(RepositoryConfig.model_json_schema(), indent=2))


@config.command("check")
@click.argument("file", type=click.File(errors="replace"))
def config_check(file: Any) -> None:
    """Check a configuration file; print each error with its line."""
    from claude_pool_gh.config.load import load  # noqa: PLC0415
    from claude_pool_gh.config.model import RepositoryConfig  # noqa: PLC0415
    from claude_pool_gh.conversation.registry import handlers  # noqa: PLC0415

    found = load(file.read(), frozenset(handlers()))
    if isinstance(found, RepositoryConfig):
        click.echo("no errors")
        return
    for fault in found:
        click.echo(f"{file.name}: {fault}", err=True)
    sys.exit(1)


@config.command("show", short_help="Print every effective value, and where it comes from.")
@click.argument(
    "files", nargs=-1, required=True, type=click.File(errors="replace"), metavar="FILE..."
)
def config_show(files: tuple[Any, ...]) -> None:
    """Print every effective value of a configuration file, and where it comes from.

    Several files are merged key by key, as an organization's defaults and a repository's own file are.
    """
    from claude_pool_gh.config.load import Faults, Layer, flat, merge  # noqa: PLC0415
    from claude_pool_gh.conversation.registry import handlers  # noqa: PLC0415

    found = merge([Layer(file.name, file.read()) for file in files], frozenset(handlers()))
    if isinstance(found, Faults):
        for fault in found.faults:
            click.echo(f"{found.file}: {fault}", err=True)
        sys.exit(1)
    for key, value in flat(found.value).items():
        click.echo(f"{key}: {json.dumps(value)}  # {found.source(key)}")


@main.command(
    context_settings={"ignore_unknown_options": True},
    short_help="Show what the bot does, with a simulated GitHub: a demo, a command here, or a script.",
)
@click.option(
    "--live", is_flag=True, help="Use the real model, with ANTHROPIC_API_KEY; costs a few cents."
)
@click.option(
    "--base", default="", help="For a command: the commit that the pull request is against."
)
@click.option(
    "--head", default="HEAD", show_default=True, help="For a command: the pull request's commit."
)
@click.option(
    "--issue", default="", help="For a command: an issue of this title instead of a pull request."
)
@click.option("--folder", default=".", help="For a command: the git repository. Default: here.")
@click.argument("what", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def rehearse(what: str | None, arguments: tuple[str, ...], *, live: bool, **given: str) -> None:
    """Show what the bot does, against a simulated GitHub and, unless --live, a scripted model: no key, no cost.

    \b
    claude-pool-gh rehearse                    a whole review of an example
    claude-pool-gh rehearse "/pool review"     that command on the repository here
    claude-pool-gh rehearse script.py          a Python program of yours

    A command runs on a pull request of --head against --base. Only commits count: the real bot reads nothing else.
    """  # noqa: D301 - click wants the character itself
    from claude_pool_gh.service.rehearse import rehearse as run  # noqa: PLC0415
    from claude_pool_gh.service.rehearse import rehearse_script  # noqa: PLC0415

    if what is None:
        sys.exit(asyncio.run(run(live=live)))
    if what.lower().startswith("/pool"):
        from claude_pool_gh.service.rehearse_command import RehearsalOptions, rehearse_command  # noqa: PLC0415

        folder = Path(given.pop("folder"))
        wanted = RehearsalOptions(
            command=" ".join((what, *arguments)), folder=folder, live=live, **given
        )
        sys.exit(asyncio.run(rehearse_command(wanted)))
    if not Path(what).is_file():
        raise click.UsageError(f"{what!r} is neither a file nor a command such as `/pool review`")
    sys.exit(asyncio.run(rehearse_script(what, arguments)))


@main.command(short_help="Say what the bot would decide about a recorded event, and why.")
@click.argument("event_file", type=click.File(errors="replace"), metavar="EVENT.json")
@click.option(
    "--event",
    default="",
    help="The event's name, such as issue_comment. Default: seen by its parts.",
)
@click.option(
    "--role",
    type=click.Choice(["none", "read", "triage", "write", "maintain", "admin"]),
    help="What the sender may do. Default: guessed from author_association, else write.",
)
@click.option("--door", type=click.Choice(["app", "action"]), default="app", show_default=True)
@click.option(
    "--folder", default=".", help="The git repository whose configuration counts. Default: here."
)
@click.option("--base", default="", help="The commit that stands for the default branch.")
@click.option(
    "--head", default="HEAD", show_default=True, help="The commit that stands for the pull request."
)
def replay(event_file: Any, **given: Any) -> None:
    """Say what the bot would decide about an event, and why: nothing is run.

    EVENT.json is the body of a webhook delivery, a delivery as GitHub's API shows it, or the file that a runner names
    in GITHUB_EVENT_PATH. It meets a simulated GitHub that holds the repository here.
    """
    from claude_pool_gh.service.replay import RecordedEvent, replay_event  # noqa: PLC0415

    folder = Path(given.pop("folder"))
    sys.exit(
        asyncio.run(replay_event(RecordedEvent(text=event_file.read(), folder=folder, **given)))
    )


if __name__ == "__main__":
    main()
