"""`claude-pool-gh rehearse "/pool …"`: one command on the repository at hand, with the real bot and a scripted model.

The simulated GitHub holds the local repository's own commits: a pull request of one of them against another, on which
a maintainer writes the command. Configuration, recipes and guidance come from the base, as always.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from claude_pool_gh.rehearsal import bot
from claude_pool_gh.rehearsal.example import ExampleAnswers
from claude_pool_gh.rehearsal.github import Issue, Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.service.rehearsal_page import show_thread, step_line

_SECONDS: Final = {False: 300.0, True: 1800.0}
_HEAD: Final = "rehearsed"
"""The branch of the pull request."""
_QUIET_SECONDS: Final = 1.0
_TELL_AGAIN: Final = 15.0
"""Seconds without anything new after which it is said that there is nothing new."""
_SILENCE: Final = "command: silence: "
"""Begins the reason in the line that the server logs of a command that it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOptions:
    """The options of a rehearsal."""

    command: str
    folder: Path
    base: str = ""
    """A commit; "": what `origin` has as its default branch, else `main` or `master`."""
    head: str = "HEAD"
    issue: str = ""
    """Title of an issue, on which the command stands instead of on a pull request."""
    live: bool = False


@dataclass(frozen=True, slots=True)
class LocalCommits:
    """Two commits of a repository on this machine."""

    folder: Path
    name: str
    base: str
    head: str
    title: str
    body: str

    @classmethod
    def read(cls, wanted: RehearsalOptions) -> LocalCommits:
        """Look them up. Raises ClickException with what is wrong."""
        top = Path(_git(wanted.folder, "rev-parse", "--show-toplevel", what="is no git repository"))
        base = _commit(top, wanted.base) if wanted.base else _default_base(top)
        head = _commit(top, wanted.head)
        if not wanted.issue and base == head:
            raise click.ClickException(
                f"--base and --head ({wanted.head}) are the same commit, so a pull request would be empty: name "
                "another one, such as --base HEAD~1"
            )
        title, _, body = _git(
            top, "log", "-1", "--no-show-signature", "--format=%B", head
        ).partition("\n")
        name = "".join(
            letter if letter.isalnum() or letter in "._-" else "-" for letter in top.name
        )
        return cls(
            top, name.strip(".") or "repository", base, head, title or "A change", body.strip()
        )


def _default_base(folder: Path) -> str:
    for name in ("origin/HEAD", "main", "master"):
        with suppress(click.ClickException):
            return _commit(folder, name)
    raise click.ClickException(
        f"{folder} has neither origin/HEAD nor main nor master: name a commit with --base"
    )


def _commit(folder: Path, name: str) -> str:
    return _git(
        folder,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{name}^{{commit}}",
        what=f"has no commit {name!r}",
    )


def _git(folder: Path, *arguments: str, what: str = "cannot be read") -> str:
    command = ["git", "-C", str(folder), *arguments]
    # what is missing is not fetched: by which program, the folder's own configuration says
    environment = os.environ | {"GIT_ALLOW_PROTOCOL": "none"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)  # noqa: S603 - no shell
    if done.returncode:
        raise click.ClickException(f"{folder} {what}: {done.stderr.strip() or 'git says no more'}")
    return done.stdout.strip()


async def rehearse_command(wanted: RehearsalOptions, console: Console | None = None) -> int:
    """Play it and print what stands on GitHub at the end; the exit code says whether it came to its end."""
    out = console or Console(width=min(110, Console().width))
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    if wanted.live and not key:
        out.print("ANTHROPIC_API_KEY is not set. Without --live no key is needed.")
        return 2
    local = LocalCommits.read(wanted)
    with tempfile.TemporaryDirectory(prefix="claude-pool-rehearsal-") as folder:
        here = Path(folder)
        async with (
            SimulatedGitHub.start(here / "github") as github,
            _model(live=wanted.live) as model_url,
        ):
            app = github.create_app("claude-pool", webhook_secret=bot.WEBHOOK_SECRET)
            repository, thread, maintainer = staged(github, local, wanted.issue)
            github.install(app, "you", [repository])
            more = {"ANTHROPIC_API_KEY": key} if wanted.live else {}
            out.print(
                f"[bold]{maintainer.login}[/bold] on #{thread.number}: {wanted.command}",
                highlight=False,
            )
            try:
                async with bot.running(github, app, model_url, here / "state", more) as server:
                    await github.comment(maintainer, repository, thread.number, wanted.command)
                    asked = RehearsedCommand(github, server, repository, thread, maintainer)
                    fault = await asked.over(
                        _SECONDS[wanted.live], partial(out.print, markup=False)
                    )
            except bot.DidNotStart as error:
                raise click.ClickException(str(error)) from None
            if asked.silence:
                out.print(
                    f"The bot gives no answer: {asked.silence}", highlight=False, markup=False
                )
                return 1
            if fault:
                said = (f"{fault}. The server's last log lines:", *server.last_words)
                out.print(*said, sep="\n", markup=False, highlight=False)
            show_thread(out, repository, thread)
            if not wanted.live:
                out.print(
                    "\nA script answered in the model's place, by example: --live asks the real one."
                )
    return 1 if fault else 0


@asynccontextmanager
async def _model(*, live: bool) -> AsyncIterator[str]:
    if live:
        yield os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
        return
    async with ScriptedModel.start(ExampleAnswers()) as model:
        yield model.url


def staged(
    github: SimulatedGitHub, local: LocalCommits, issue: str
) -> tuple[Repository, Issue, User]:
    """The simulated repository, with the local one's commits in it."""
    maintainer = github.create_user("you")
    repository = github.create_repository(f"you/{local.name}", files={})
    repository.git.run(
        "fetch",
        "--quiet",
        "--no-tags",
        str(local.folder),
        f"+{local.base}:refs/heads/main",
        f"+{local.head}:refs/heads/{_HEAD}",
    )
    repository.state.known_refs = repository.git.refs()
    if issue:
        return repository, repository.open_issue(issue, author=maintainer), maintainer
    pull = repository.open_pull(
        _HEAD, base="main", title=local.title, body=local.body, author=maintainer
    )
    return repository, pull, maintainer


@dataclass(frozen=True, slots=True)
class RehearsedCommand:
    """A command that stands in a thread, and the bot that was asked."""

    github: SimulatedGitHub
    server: bot.Bot
    repository: Repository
    thread: Issue
    maintainer: User

    @property
    def silence(self) -> str:
        """The reason why the bot gives no answer, in its own log's words; "" where it gives one."""
        said = (line.partition(_SILENCE)[2] for line in self.server.log)
        return next((each.split(" action=")[0] for each in said if each), "")

    def _is_answered(self) -> bool:
        comments = self.repository.comments(self.thread.number)
        heads = [
            each.body.split("\n", 1)[0] for each in comments if each.author is not self.maintainer
        ]
        checks = (
            self.repository.check_runs(self.thread.head_sha)
            if isinstance(self.thread, Pull)
            else []
        )
        going = any(head.endswith(("running", "waiting in the queue")) for head in heads)
        return bool(heads) and not going and all(run.status == "completed" for run in checks)

    def _progress(self) -> str:
        """The line of the bot's newest comment that changes while it works; "" before there is one."""
        comments = self.repository.comments(self.thread.number)
        bodies = [each.body for each in comments if each.author is not self.maintainer]
        return step_line(bodies[-1]) if bodies else ""

    async def over(self, seconds: float, tell: Callable[[str], None]) -> str:
        """Wait until the bot has answered, and changes nothing more; the reason where it does not come to that.

        `tell` is given a line at each step, and now and then where there is nothing new.
        """
        loop, told = asyncio.get_running_loop(), ""
        begun = loop.time()
        while True:
            if (now := self._progress()) != told:
                told = now
                tell(f"  claude-pool: {told}")
            if self.silence or (self._is_answered() and not await self._goes_on()):
                return ""
            if not self.server.runs:
                return "The server has ended"
            passed = loop.time() - begun
            if passed >= seconds:
                return f"It did not finish within {seconds:g} seconds"
            try:
                await self.github.until(
                    partial(self._is_news, told), timeout=min(seconds - passed, _TELL_AGAIN)
                )
            except TimeoutError:
                last = next(reversed(self.server.last_words), "nothing yet")
                tell(f"  waiting for {loop.time() - begun:.0f} s; the server's last line: {last}")

    def _is_news(self, told: str) -> bool:
        over = self._is_answered() or bool(self.silence) or not self.server.runs
        return over or self._progress() != told

    async def _goes_on(self) -> bool:
        """True where more is asked of GitHub: what follows an end, such as a review and a reaction, follows at once."""
        seen = len(self.github.requests)
        try:
            await self.github.until(
                lambda: len(self.github.requests) > seen, timeout=_QUIET_SECONDS
            )
        except TimeoutError:
            return False
        return True
