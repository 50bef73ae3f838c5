"""`claude-pool-gh rehearse "/pool …"`: one command on the repository at hand, with the real bot and a scripted model.

The simulated GitHub holds the local repository's own commits: a pull request of one of them against another, on which
a maintainer writes the command. Configuration, recipes and guidance come from the base, as always.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from claude_pool_gh.rehearsal import bot
from claude_pool_gh.rehearsal.example import ExampleAnswers
from claude_pool_gh.rehearsal.github import Issue, Pull, Repository, SimulatedGitHub, User
from claude_pool_gh.rehearsal.github.state.git import GitError
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.service.console import Console
from claude_pool_gh.service.rehearsals.rehearsal_page import show_thread, step_line
from claude_pool_gh.worktrees import foreign
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.local import git_dirs, store_in

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

    store: Path
    """A repository of our own with all that the local one has: commands that talk to a remote, or that the
    configuration of a person or of a repository changes, run there only."""
    name: str
    base: str
    head: str
    title: str
    body: str

    @classmethod
    async def read(cls, wanted: RehearsalOptions, scratch: Path) -> LocalCommits:
        """Look them up; the store is made in a folder of ours. Raises ClickException with what is wrong."""
        try:
            said = await foreign.ask("rev-parse", "--show-toplevel", folder=wanted.folder)
            own, common = await git_dirs(wanted.folder)
        except WorktreeError as error:
            why = error.detail or str(error)
            here = wanted.folder.absolute()
            raise click.ClickException(f"{here} is no git repository: {why}") from error
        top = Path(said.decode(errors="replace").strip())
        base = await (_commit(own, wanted.base) if wanted.base else _default_base(own))
        head = await _commit(own, wanted.head)
        if not wanted.issue and base == head:
            raise click.ClickException(
                f"--base and --head ({wanted.head}) are the same commit, so a pull request would be empty: name "
                "another one, such as --base HEAD~1"
            )
        store = await store_in(scratch, common)
        message = await git("log", "-1", "--format=%B", head, git_dir=store)
        title, _, body = message.decode(errors="replace").strip().partition("\n")
        name = "".join(
            letter if letter.isalnum() or letter in "._-" else "-" for letter in top.name
        )
        return cls(
            store, name.strip(".") or "repository", base, head, title or "A change", body.strip()
        )


async def _default_base(git_dir: Path) -> str:
    for name in ("origin/HEAD", "main", "master"):
        with suppress(click.ClickException):
            return await _commit(git_dir, name)
    raise click.ClickException(
        "the repository has neither origin/HEAD nor main nor master: name a commit with --base"
    )


async def _commit(git_dir: Path, name: str) -> str:
    wanted = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    try:
        return (await foreign.ask("rev-parse", *wanted, git_dir=git_dir)).decode().strip()
    except WorktreeError as error:
        raise click.ClickException(f"the repository has no commit {name!r}") from error


async def rehearse_command(wanted: RehearsalOptions, console: Console | None = None) -> int:
    """Play it and print what stands on GitHub at the end; the exit code says whether it came to its end."""
    out = console or Console(width=min(110, Console().width))
    key = os.environ.get("ANTHROPIC_API_KEY", "")
    if wanted.live and not key:
        out.print("ANTHROPIC_API_KEY is not set. Without --live no key is needed.")
        return 2
    with tempfile.TemporaryDirectory(prefix="claude-pool-rehearsal-") as folder:
        here = Path(folder)
        local = await LocalCommits.read(wanted, here / "local")
        async with (
            SimulatedGitHub.start(here / "github") as github,
            _model(live=wanted.live) as model_url,
        ):
            app = github.create_app("claude-pool", webhook_secret=bot.WEBHOOK_SECRET)
            repository, thread, maintainer = staged(github, local, wanted.issue)
            github.install(app, "you", [repository])
            more = {"ANTHROPIC_API_KEY": key} if wanted.live else {}
            who = (maintainer.login, "bold")
            out.print(Text.assemble(who, f" on #{thread.number}: {wanted.command}"))
            try:
                async with bot.running(github, app, model_url, here / "state", more) as server:
                    await github.comment(maintainer, repository, thread.number, wanted.command)
                    asked = RehearsedCommand(github, server, repository, thread, maintainer)
                    fault = await asked.over(_SECONDS[wanted.live], out.print)
            except bot.DidNotStart as error:
                raise click.ClickException(str(error)) from None
            if asked.silence:
                out.print(f"The bot gives no answer: {asked.silence}")
                return 1
            if fault:
                said = (f"{fault}. The server's last log lines:", *server.last_words)
                out.print(*said, sep="\n")
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
    refs = (f"+{local.base}:refs/heads/main", f"+{local.head}:refs/heads/{_HEAD}")
    try:
        fetch = ("fetch", "--quiet", "--no-tags", "--update-shallow")
        repository.git.run(*fetch, str(local.store), *refs)
    except GitError as error:
        raise click.ClickException(
            f"the commits cannot be copied, as those of a clone that lacks some files: {error}"
        ) from error
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
