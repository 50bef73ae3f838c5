"""A conversation on a pull request: the real server, the simulated GitHub, a scripted model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from claude_pool_gh.audits.rules import KINDS
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import WEBHOOK_SECRET, Bot, environment
from claude_pool_gh.rehearsal.github import (
    App,
    CheckRun,
    Comment,
    Installation,
    Pull,
    Repository,
    Review,
    ReviewComment,
    SimulatedGitHub,
    User,
)
from claude_pool_gh.rehearsal.model import ScriptedModel
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.storage.deflated import inflated
from tests.acceptance.forked import ForkedBot
from tests.patience import PATIENCE
from tests.rehearsal.contract.checker import Contract, shared

T = TypeVar("T")
UNWRITTEN = (
    "SELECT count(*) FROM effects WHERE state = 'wanted'"
    " AND repository_id IN (SELECT id FROM repositories WHERE state = 'active')"
)
"""What is wanted where nobody can write waits, perhaps for ever."""
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


@dataclass(slots=True, repr=False)
class World:
    """Everything on stage, with the questions that tests ask."""

    github: SimulatedGitHub
    model: ScriptedModel
    app: App
    repository: Repository
    pull: Pull
    maintainer: User
    bot: Bot
    contract: Contract

    async def say(self, body: str, *, by: User | None = None, number: int | None = None) -> Comment:
        """Comment as the maintainer, or as somebody else."""
        return await self.github.comment(
            by or self.maintainer, self.repository, number or self.pull.number, body
        )

    def own_comments(self, number: int | None = None) -> list[Comment]:
        """What the bot wrote into a thread."""
        found = self.repository.comments(number or self.pull.number)
        return [comment for comment in found if comment.author.id == self.app.bot.id]

    @property
    def tracking(self) -> str:
        """The tracking comment's body, "" while there is none."""
        found = [c.body for c in self.own_comments() if "`/pool help`</sub>" in c.body]
        assert len(found) <= 1, "more than one tracking comment"
        return found[0] if found else ""

    @property
    def check(self) -> CheckRun | None:
        """The newest check run of ours at any commit."""
        runs = [run for sha in self.heads for run in self.repository.check_runs(sha)]
        return runs[-1] if runs else None

    @property
    def heads(self) -> list[str]:
        """Every commit that was reviewed, as the check runs tell."""
        return list(dict.fromkeys(str(sha) for sha in self.seen_heads))

    @property
    def installation(self) -> Installation:
        """The App's installation on the repository's owner."""
        return next(iter(self.github.world.installations.values()))

    async def begin(self) -> None:
        """Start the server, again too, and let the App's webhooks go there."""
        await self.bot.start()
        self.app.webhook_url = f"{self.bot.url}/webhook"

    def answers(self) -> list[tuple[str, str]]:
        """Every command so far with what came of it, oldest first."""
        return [
            (str(a), str(b))
            for a, b in self.rows("SELECT line, answer FROM commands ORDER BY received_ms, key")
        ]

    seen_heads: list[str] = None  # type: ignore[assignment]
    engine: sa.Engine | None = None

    @property
    def reviews(self) -> list[Review]:
        """The bot's reviews; GitHub makes one of each reply too, without a text of its own."""
        return [one for one in self.pull.reviews if one.author.id == self.app.bot.id and one.body]

    async def reviewed(self, timeout: float = PATIENCE) -> CheckRun:
        """Wait until the check is complete and the tracking comment shows the end; the check."""

        def over() -> CheckRun | None:
            run = self.check
            first = self.tracking.split("\n", 1)[0]
            ended = bool(first) and not first.endswith(("running", "waiting in the queue"))
            return run if run is not None and run.status == "completed" and ended else None

        try:
            found = await self.github.until(over, timeout=timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n\nserver log:\n" + "\n".join(self.bot.log)) from error
        assert found is not None
        return found

    async def answered(self, count: int = 1, number: int | None = None) -> str:
        """Wait for the bot's n-th comment in a thread; the newest one's body."""
        try:
            await self.github.until(lambda: len(self.own_comments(number)) >= count)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n\nserver log:\n" + "\n".join(self.bot.log)) from error
        return self.own_comments(number)[-1].body

    async def replied_under(self, finding: ReviewComment, count: int = 1) -> str:
        """Wait for the bot's n-th reply in a review's thread; its body."""

        def ours() -> list[str]:
            every = self.pull.review_comments
            return [
                c.body for c in every if c.in_reply_to is finding and c.author.id == self.app.bot.id
            ]

        await self.until(lambda: len(ours()) >= count)
        return ours()[-1]

    async def until(self, condition: Callable[[], T], timeout: float = PATIENCE) -> T:
        """Wait for the state to be as wanted; where it never is, the server's log says why."""
        try:
            return await self.github.until(condition, timeout=timeout)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n\nserver log:\n" + "\n".join(self.bot.log)) from error

    def comment_of(self, verb: str, number: int | None = None) -> str:
        """The tracking comment of a verb in a thread, "" while there is none."""
        key = f"comment:{self.repository.id}:{number or self.pull.number}:{verb}"
        marks = [marker(key), *(marker(f"{key}:{kind}") for kind in KINDS if verb == "audit")]
        found = [c.body for c in self.own_comments(number) if any(mark in c.body for mark in marks)]
        assert len(found) <= 1, f"more than one tracking comment of {verb}"
        return found[0] if found else ""

    async def shows(
        self, verb: str, what: str, number: int | None = None, timeout: float = PATIENCE
    ) -> str:
        """Wait until a verb's tracking comment holds a text; the comment."""
        try:
            await self.until(lambda: what in self.comment_of(verb, number), timeout=timeout)
        except AssertionError as error:
            shown = self.comment_of(verb, number)
            told = f"the comment of {verb} does not show {what!r}: {error}\n\nits comment:\n{shown}"
            raise AssertionError(told) from error
        return self.comment_of(verb, number)

    def replies(self, number: int | None = None) -> list[str]:
        """The bot's answers in a thread: neither tracking comments nor words that a run has ended; oldest first."""
        found = [comment.body for comment in self.own_comments(number)]
        return [
            body
            for body in found
            if "`/pool help`</sub>" not in body and " has ended: " not in body
        ]

    def ends(self, number: int | None = None) -> list[str]:
        """What the bot wrote to say that a run has ended, oldest first."""
        return [one.body for one in self.own_comments(number) if " has ended: " in one.body]

    async def said(self, what: str, number: int | None = None) -> str:
        """Wait for a reply of the bot's that holds a text; the reply."""
        try:
            await self.until(lambda: any(what in body for body in self.replies(number)))
        except AssertionError as error:
            raise AssertionError(f"no reply says {what!r}: {error}") from error
        return next(body for body in reversed(self.replies(number)) if what in body)

    async def handled(self, count: int) -> None:
        """Wait until that many commands have been handled, whatever came of them."""
        await self.github.until(
            lambda: self.rows("SELECT count(*) FROM commands WHERE state='handled'")[0][0] >= count
        )

    async def written(self) -> None:
        """Wait until every effect that was wanted is written."""
        await self.github.until(lambda: self.rows(UNWRITTEN) == [(0,)])

    async def quiet(self) -> None:
        """Wait until every command that came in has been handled, and what it led to so far is written."""
        waiting = "SELECT count(*) FROM commands WHERE state = 'received'"
        await self.until(lambda: self.rows(waiting) == [(0,)])
        await self.written()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the server's own database."""
        if self.engine is None:  # kept: some questions are asked many times a second
            url = (
                self.bot.environment.get("CLAUDE_POOL_DATABASE_URL")
                or f"sqlite:///{self.bot.state / 'pool.sqlite'}"
            )
            self.engine = sa.create_engine(
                sa.make_url(url).set(drivername=_DRIVERS[url.split(":")[0]])
            )
        with self.engine.connect() as connection:
            found = connection.execute(sa.text(query))
            return [
                tuple(inflated(each) if isinstance(each, bytes) else each for each in row)
                for row in found
            ]

    @property
    def ledger(self) -> int:
        """What all requests to the model have cost, in microdollars."""
        return int(
            self.rows("SELECT coalesce(sum(settled), 0) FROM reservations WHERE level = 'request'")[
                0
            ][0]
        )


@asynccontextmanager
async def world(
    folder: Path,
    *,
    more: Mapping[str, str] | None = None,
    base: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
    start: bool = True,
    bot_type: type[Bot] = ForkedBot,
) -> AsyncIterator[World]:
    """Set the stage: a repository with an open pull request, the App installed, the server running."""
    contract = shared()
    contract.clear()
    async with (
        SimulatedGitHub.start(folder / "github") as github,
        ScriptedModel.start(Reviewer()) as model,
    ):
        github.patience = PATIENCE
        github.observe(contract)
        app = github.create_app("claude-pool", webhook_secret=WEBHOOK_SECRET)
        maintainer, author = github.create_user("mona"), github.create_user("hubot-fan")
        repository = github.create_repository("octo/shop", files=dict(base or stage.base_files()))
        repository.grant(maintainer, "maintain")
        repository.grant(author, "write")
        changed = stage.head_files() if head is None else dict(head)
        repository.commit("feature", changed, message="Change it", author=author)
        pull = repository.open_pull(
            "feature", base="main", title="A change", body="It changes.", author=author
        )
        github.install(app, "octo", [repository])
        settings = {"CLAUDE_POOL_MODEL_PATIENCE": "0", **(more or {})}  # an outage is told at once
        bot = bot_type(
            folder / "state", environment(github, app, model.url, folder / "state", settings)
        )
        here = World(github, model, app, repository, pull, maintainer, bot, contract)
        here.seen_heads = [pull.head_sha]
        if start:
            await bot.start()
            app.webhook_url = f"{bot.url}/webhook"
        try:
            yield here
        finally:
            await bot.kill()  # stopping well takes a second, and has a test of its own
            if here.engine is not None:
                here.engine.dispose()
        contract.assert_clean()
        assert not github.unknown_routes
