"""What the shell waits for: a command's own modules are imported when it runs, and for no other."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from claude_pool_gh.service.cli import main
from claude_pool_gh.service.command_line.lazy_group import LazyGroup
from tests import ours

ROOT = Path(__file__).parents[2]
HEAVY = {"aiohttp", "alembic", "claude_agent_sdk", "gidgethub", "rich", "sqlalchemy", "psutil"}
"""What takes longest to import, and no help text, flag or configuration needs."""
LOADED = """
import sys
from claude_pool_gh.service.cli import main
try:
    main(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""
HELPED = """
import os, sys
import claude_pool_gh.service.settings
from claude_pool_gh.service.cli import main
for line in sys.stdin.read().splitlines():
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        main([*line.split(), "--help"])
    finally:
        print(line, *sys.modules, sep=",", file=sys.stderr, flush=True)
        os._exit(0)
"""
"""One process of its own for each command, forked where only what most of them need is imported."""
MODULES = 180
"""Modules of Python's own, click's and ours that `--help` may import; it was 600 with all commands."""


def paths(group: LazyGroup, *before: str) -> list[tuple[str, ...]]:
    """Every command of a group and of the groups in it, as it is typed."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = paths(command, *before, name) if isinstance(command, LazyGroup) else []
        found += [(*before, name), *inside]
    return found


def every_command(group: LazyGroup, *before: str) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, LazyGroup):
            found += every_command(command, *before, name)
        else:
            found.append(((*before, name), command))
    return found


def loaded(*arguments: str) -> set[str]:
    """The modules in a process of their own at the end of a command that succeeds."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_a_server_carries_only_what_it_needs_while_it_waits() -> None:
    """Each of these is megabytes, and loaded by the first work that needs it."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import claude_pool_gh.service.server.serve, sys; print(*sys.modules)",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert not {"alembic", "claude_agent_sdk", "genai_prices", "git", "httpx2"} & {
        *done.stdout.split()
    }


def test_help_imports_no_command() -> None:
    modules = loaded("--help")
    own = {name for name in modules if name.startswith("claude_pool_gh.service.commands.")}
    assert own == set()
    assert {name.partition(".")[0] for name in modules} & {*HEAVY, "pydantic", "asyncio"} == set()
    assert len(modules) < MODULES


def test_the_help_of_a_command_does_not_wait_for_what_it_does() -> None:
    commands = [" ".join(path) for path in paths(main)]
    done = subprocess.run(
        [sys.executable, "-c", HELPED],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=True,
        timeout=250,
    )
    found = {command: set(names) for command, *names in map(_split, done.stderr.splitlines())}
    assert list(found) == commands
    assert "claude_pool_gh.service.commands.serve" in found["serve"], "each was really run"
    packages = {
        command: {name.partition(".")[0] for name in names} for command, names in found.items()
    }
    assert {command: names & HEAVY for command, names in packages.items() if names & HEAVY} == {}, (
        "import it with `deferred`"
    )


def _split(line: str) -> list[str]:
    return line.split(",")


def test_a_configuration_is_checked_without_engine_server_and_verbs() -> None:
    modules = loaded("config", "check", "docs/claude-pool.example.yml")
    assert {name.partition(".")[0] for name in modules} & {*HEAVY, "asyncio"} == set()
    unneeded = ("claude_pool_gh.conversation.verbs.", "claude_pool_gh.commands.")
    assert [name for name in modules if name.startswith(unneeded)] == []


@pytest.mark.parametrize("command", paths(main), ids=" ".join)
def test_every_command_has_one_line_in_the_list_and_a_help(command: tuple[str, ...]) -> None:
    said = CliRunner().invoke(main, [*command[:-1], "--help"]).output
    (line,) = [each for each in said.splitlines() if each.split()[:1] == [command[-1]]]
    assert len(line.split()) > 2
    for flag in ("--help", "-h"):
        done = CliRunner().invoke(main, [*command, flag])
        assert (done.exit_code, done.output[:6]) == (0, "Usage:")


def test_a_mistyped_command_is_told_the_nearest_one_on_standard_error() -> None:
    done = CliRunner().invoke(main, ["confg"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Did you mean 'config'?" in done.stderr


def completed(words: list[str], incomplete: str) -> list[str]:
    shell = ShellComplete(main, {}, "claude-pool-gh", "_CLAUDE_POOL_GH_COMPLETE")
    return [item.value for item in shell.get_completions(words, incomplete)]


def test_a_shell_completes_commands_flags_and_values() -> None:
    assert completed([], "re") == ["recipes", "rehearse", "replay", "restore"]
    assert completed(["config"], "") == ["check", "schema", "show"]
    assert completed(["serve"], "--po") == ["--port", "--poll"]
    assert completed(["serve", "--checks"], "t") == ["true"]
    assert completed(["serve", "--log-level"], "W") == ["WARNING"]
    assert completed(["run", "--isolation"], "w") == ["worktree"]


def test_completing_imports_no_command() -> None:
    code = (
        "import sys; from claude_pool_gh.service.cli import main\n"
        "from click.shell_completion import ShellComplete\n"
        "print(ShellComplete(main, {}, 'x', 'X').get_completions([], '')[0].help)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ours.environment(),
        check=True,
        timeout=100,
    )
    said, modules = done.stdout.splitlines()
    assert said == "Audit a checkout, or many repositories on GitHub, whole and in parts."
    assert "claude_pool_gh.service.commands.backup" not in modules.split()


def test_flags_say_what_kind_of_value_they_take_and_in_which_range() -> None:
    text = " ".join(CliRunner().invoke(main, ["serve", "--help"]).output.split())
    for shown in (
        "--port INTEGER 0..65535",
        "--slots INTEGER 0..64",
        "--budget-usd NUMBER above 0",
        "--poll NUMBER 0..",
        "--checks [true|false]",
        "--log [text|json]",
        "--state-dir FOLDER",
        "--private-key-file FILE",
        "--host TEXT",
    ):
        assert shown in text


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_at_a_question_ends_as_anywhere_else(tmp_path: Path) -> None:
    asked = ours.cli("init", "--app", "--public-url", "https://pool.example.com")
    environment = ours.environment(HOME=str(tmp_path))
    with subprocess.Popen(
        asked,
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while not said.endswith("Make it? [y/N]: "):
            said += process.stdout.read(1)
        # Once more where nothing comes of it: Python drops one that comes while it still shows the question.
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
                break
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told.split()) == (130, ["interrupted"])
    done = subprocess.run(
        asked,
        cwd=tmp_path,
        env=environment,
        input="n\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "Error: nothing was made\n")
    assert list(tmp_path.iterdir()) == []


WITHOUT_JSON = {
    "serve": "runs until it is stopped",
    "worker": "runs until it is stopped",
    "rehearse": "shows a demonstration",
    "config schema": "is JSON",
}


def test_every_command_that_reports_has_json() -> None:
    found = {" ".join(path): command for path, command in every_command(main)}
    without = {
        name for name, command in found.items() if "as_json" not in {p.name for p in command.params}
    }
    assert without == set(WITHOUT_JSON)
    assert len(found) > 20


@pytest.mark.parametrize(("path", "command"), every_command(main), ids=str)
def test_every_help_shows_an_example_and_says_of_each_flag_what_it_takes(
    path: tuple[str, ...], command: click.Command
) -> None:
    line = " ".join(("claude-pool-gh", *path))
    assert line in (command.help or ""), "an example"
    flags = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in flags if not each.help] == []
    untyped = [each for each in flags if each.type is click.STRING and not each.metavar]
    assert [each.name for each in untyped if not each.is_flag] == []
