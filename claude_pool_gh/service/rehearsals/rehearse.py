"""`claude-pool-gh rehearse`, which `make demo` calls: a whole review on this machine, watched as it happens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import click
from rich.live import Live
from rich.markdown import Markdown
from rich.panel import Panel

from claude_pool_gh.rehearsal import bot, stage
from claude_pool_gh.rehearsal.companion import Companion
from claude_pool_gh.rehearsal.github import Pull, Repository, SimulatedGitHub
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.service.console import Console
from claude_pool_gh.service.ending import ending
from claude_pool_gh.service.rehearsals.rehearsal_page import (
    comment_panel,
    say,
    show_reviews,
    step_line,
)

_PACE = 0.5
_LONGEST = {False: 120.0, True: 900.0}
_TO_TIDY_UP = 10.0


async def rehearse(*, live: bool, console: Console | None = None) -> int:
    """Play the review and show it; the exit code says whether it came to its end."""
    out = console or Console(width=min(110, Console().width))
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    if live and not key:
        out.print("ANTHROPIC_API_KEY is not set. Without --live (or LIVE=1) no key is needed.")
        return 2
    _announce(out, live=live)
    with tempfile.TemporaryDirectory(prefix="claude-pool-rehearsal-") as folder:
        here = Path(folder)
        async with SimulatedGitHub.start(here / "github") as github, _model(live=live) as model_url:
            app = github.create_app("claude-pool", webhook_secret=bot.WEBHOOK_SECRET)
            repository, pull, maintainer = stage.set_up(github)
            github.install(app, "octo", [repository])
            more = {"ANTHROPIC_API_KEY": key} if live else {}
            out.print("starting the server: claude-pool-gh serve")
            try:
                async with bot.running(github, app, model_url, here / "state", more) as server:
                    say(out, "mona", "commented on pull request #1", "/pool review")
                    await github.comment(maintainer, repository, pull.number, "/pool review")
                    is_over = await _watch(out, github, repository, pull, _LONGEST[live])
            except bot.DidNotStart as error:
                raise click.ClickException(str(error)) from None
            if not is_over:
                why = f"It did not finish within {_LONGEST[live]:g} seconds."
                said = (f"{why} The server's last log lines:", *server.last_words)
                out.print(*said, sep="\n")
            _curtain(out, repository, pull)
    return 0 if is_over else 1


async def rehearse_script(script: str, arguments: Sequence[str]) -> int:
    """Run a Python program with a scripted model where it looks for the real one; its exit code."""
    async with ScriptedModel.start(Companion()) as model:
        # The key is no key: a program that found another way to the real API could not use it.
        own = {"ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "rehearsal"}
        program = await asyncio.create_subprocess_exec(
            sys.executable, script, *arguments, env={**os.environ, **own}
        )
        try:
            return await program.wait()
        finally:
            await _ended(program)


async def _ended(program: asyncio.subprocess.Process) -> None:
    """Let a program tidy up, for as long as that may take, and then end it. Ctrl-C in a terminal has reached it too."""
    if program.returncode is None and ending.number != signal.SIGINT:
        program.send_signal(signal.SIGTERM if ending.in_background else signal.SIGINT)
    for end in (program.terminate, program.kill):
        with suppress(TimeoutError):
            await asyncio.wait_for(program.wait(), _TO_TIDY_UP)
            return
        end()


def _announce(out: Console, *, live: bool) -> None:
    real = (
        "the server process, its signed webhooks, git over HTTP, worktrees, the Claude CLI, SQLite"
    )
    model = (
        "nothing else: the model is the real one, and costs a few cents"
        if live
        else "and the model, which is scripted"
    )
    text = (
        f"**Real here:** {real}{', the model' if live else ''}.  \n"
        f"**Simulated:** GitHub, by a server on this machine, {model}.  \n"
        f"*{stage.TITLE}*, pull request #1 of octo/shop, holds two planted defects."
    )
    out.print(Panel(Markdown(text), title="A rehearsal of /pool review", border_style="cyan"))


@asynccontextmanager
async def _model(*, live: bool) -> AsyncIterator[str]:
    if live:
        yield os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
        return
    async with ScriptedModel.start(Reviewer(stage.PLANTED, pace=_PACE)) as model:
        yield model.url


async def _watch(
    out: Console, github: SimulatedGitHub, repository: Repository, pull: Pull, seconds: float
) -> bool:
    """Show the tracking comment as it is edited, until the check is complete and nothing more is written.

    False where it does not come to that.
    """
    with (
        Live(console=out, auto_refresh=False, transient=True) as screen,
        suppress(TimeoutError),
    ):
        async with asyncio.timeout(seconds):
            body = ""
            while not _is_over(repository, pull):
                changed = partial(_differs, repository, pull, body)
                await github.until(changed, timeout=seconds)
                body = _tracking(repository, pull)
                if out.is_terminal:
                    screen.update(_comment(body), refresh=True)
                elif body:
                    out.print(f"  claude-pool: {step_line(body)}")
            return True
    return False


def _differs(repository: Repository, pull: Pull, body: str) -> bool:
    return _tracking(repository, pull) != body or _is_over(repository, pull)


def _is_over(repository: Repository, pull: Pull) -> bool:
    first = _tracking(repository, pull).split("\n", 1)[0]
    checked = any(run.status == "completed" for run in repository.check_runs(pull.head_sha))
    return checked and not first.endswith(("running", "waiting in the queue"))


def _curtain(out: Console, repository: Repository, pull: Pull) -> None:
    """Everything that stands on the pull request at the end."""
    out.rule("What the pull request shows now")
    out.print(_comment(_tracking(repository, pull)))
    show_reviews(out, repository, pull)
    out.print(
        "\nThe same on your own repositories: docs/tutorial/action.md or docs/tutorial/app.md."
    )


def _comment(body: str) -> Panel:
    return comment_panel(body, "claude-pool[bot], tracking comment")


def _tracking(repository: Repository, pull: Pull) -> str:
    own = [c.body for c in repository.comments(pull.number) if c.author.login.endswith("[bot]")]
    bodies = [body for body in own if "`/pool help`</sub>" in body]
    return bodies[-1] if bodies else ""
