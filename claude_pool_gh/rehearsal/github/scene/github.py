"""The simulated GitHub: start it, put accounts and repositories on it, act as people do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from claude_pool_gh.rehearsal.github.acts import (
    accounts,
    checks,
    comments,
    deliveries,
    repositories,
    reviews,
    tokens,
)
from claude_pool_gh.rehearsal.github.scene.repository import Repository
from claude_pool_gh.rehearsal.github.scene.story import tell_recent
from claude_pool_gh.rehearsal.github.state.checks import CheckRun
from claude_pool_gh.rehearsal.github.state.clock import Clock
from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.git import Files
from claude_pool_gh.rehearsal.github.state.installations import Installation
from claude_pool_gh.rehearsal.github.state.limits import Limits
from claude_pool_gh.rehearsal.github.state.people import Actor, App, Permissions, User
from claude_pool_gh.rehearsal.github.state.repository import Comment, Issue, ReviewComment
from claude_pool_gh.rehearsal.github.state.site import ACTIONS_BOT_ID
from claude_pool_gh.rehearsal.github.state.world import World
from claude_pool_gh.rehearsal.github.web.faults import Faults, Hook
from claude_pool_gh.rehearsal.github.web.journal import Observer, Request
from claude_pool_gh.rehearsal.github.web.server import Server

T = TypeVar("T")
LOOK_AGAIN = 0.25


class SimulatedGitHub:
    """One GitHub with its state in memory and its repositories in a directory.

    All methods belong to the thread of the event loop it was made for, whether or not the loop is running
    just then: a plain fixture may build the scene.
    """

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.world = World(directory)
        self.patience = 60.0
        """Seconds that `until` waits where it is not told."""
        self._server = Server(self.world, loop)
        self.actions_bot = self.world.site.user("github-actions[bot]", "Bot", ACTIONS_BOT_ID)

    @classmethod
    @asynccontextmanager
    async def start(cls, directory: Path | str) -> AsyncIterator[SimulatedGitHub]:
        """Serve on a free port of the loopback interface until the block ends."""
        github = cls(Path(directory), asyncio.get_running_loop())
        async with github._server.serve():
            yield github

    # HTTP

    @property
    def url(self) -> str:
        """The value for GITHUB_SERVER_URL."""
        return self.world.site.url

    @property
    def api_url(self) -> str:
        """The value for GITHUB_API_URL."""
        return self.world.site.api_url

    @property
    def clock(self) -> Clock:
        """The time here; `clock.advance(seconds)` lets it pass."""
        return self.world.site.clock

    @property
    def limits(self) -> Limits:
        """Sizes and rates, adjustable."""
        return self.world.site.limits

    @property
    def faults(self) -> Faults:
        """The plan of faults."""
        return self._server.front.faults

    @property
    def requests(self) -> list[Request]:
        """Every request that came in, API and git."""
        return self._server.front.requests

    @property
    def unknown_routes(self) -> list[Request]:
        """API requests to routes that are not simulated."""
        return self._server.front.unknown

    @property
    def deliveries(self) -> list[Delivery]:
        """Every webhook, oldest first."""
        return self.world.deliveries

    def observe(self, observer: Observer) -> None:
        """Show every exchange and every webhook to a callback."""
        self._server.front.observers.append(observer)

    def on_request(self, hook: Hook) -> None:
        """Await a callback before and after the effect of every request, and before its answer is sent."""
        self._server.front.faults.hooks.append(hook)

    # accounts

    def create_user(self, login: str) -> User:
        """A person."""
        return self.world.site.user(login)

    def create_app(
        self,
        slug: str,
        webhook_url: str | None = None,
        webhook_secret: str = "",
        *,
        permissions: Permissions | None = None,
        events: Iterable[str] | None = None,
    ) -> App:
        """Register an App; its bot account is `<slug>[bot]`."""
        return accounts.create_app(
            self.world, slug, webhook_url, webhook_secret, permissions, events
        )

    def install(
        self,
        app: App,
        owner: str,
        repositories: Iterable[Repository] | None = None,
        *,
        permissions: Permissions | None = None,
        events: Iterable[str] | None = None,
    ) -> Installation:
        """Install an App on an account for these repositories, or for all that the account has now."""
        account = self.world.site.user(owner, "Organization")
        if repositories is None:
            chosen = [one for one in self.world.repositories.values() if one.owner is account]
        else:
            chosen = [one.state for one in repositories]
        return accounts.install(self.world, app, account, chosen, permissions, events)

    def add_repositories(self, installation: Installation, *repositories: Repository) -> None:
        """Let an installation see more repositories."""
        self._change(installation, added=repositories)

    def remove_repositories(self, installation: Installation, *repositories: Repository) -> None:
        """Take repositories from an installation."""
        self._change(installation, removed=repositories)

    def _change(
        self,
        installation: Installation,
        added: Iterable[Repository] = (),
        removed: Iterable[Repository] = (),
    ) -> None:
        accounts.change_repositories(
            self.world.site,
            installation,
            [one.state for one in added],
            [one.state for one in removed],
        )

    def uninstall(self, installation: Installation) -> None:
        """Remove the App from the account; its tokens die at once."""
        accounts.uninstall(self.world, installation)

    async def suspend(self, installation: Installation, *, on: bool = True) -> None:
        """Suspend an installation, or bring it back, and wait until its App has heard."""
        before = len(self.deliveries)
        accounts.suspend(self.world, installation, on=on)
        await self._heard(before)

    def create_repository(
        self,
        full_name: str,
        files: Files | None = None,
        *,
        private: bool = False,
        message: str = "Initial commit",
    ) -> Repository:
        """A repository with a first commit on `main`, owned by an organization unless a user has the name."""
        owner, _, name = full_name.partition("/")
        account = self.world.site.user(owner, "Organization")
        first = {"README.md": f"# {name}\n"} if files is None else files
        made = repositories.create(
            self.world, account, name, first, private=private, message=message
        )
        return Repository(self.world, made)

    def repository(self, full_name: str) -> Repository:
        """The repository of that name. Raises KeyError."""
        return Repository(self.world, self.world.repositories[full_name.lower()])

    def create_token(
        self,
        user: User,
        repository: Repository | None = None,
        permissions: Mapping[str, str] | None = None,
    ) -> str:
        """A static token.

        For `actions_bot` it is a workflow's GITHUB_TOKEN: one repository, given permissions, and nothing that
        it does causes webhooks. For a person it is their own token, with all that their role allows.
        """
        only = None if repository is None else frozenset({repository.id})
        quiet = user is self.actions_bot
        return tokens.static_token(self.world, user, permissions, only, quiet=quiet).secret

    def create_installation_token(
        self,
        installation: Installation,
        permissions: Mapping[str, str] | None = None,
        repositories: Iterable[Repository] | None = None,
    ) -> str:
        """An installation token without the round trip."""
        only = None if repositories is None else [one.id for one in repositories]
        return tokens.installation_token(self.world, installation, permissions, only).secret

    # people at work

    async def comment(
        self, user: User, repository: Repository, number: int, body: str, *, by_mail: bool = False
    ) -> Comment:
        """Say something in a thread, and wait until the webhooks of it have been answered."""
        before = len(self.deliveries)
        comment = comments.create(repository.issue(number), Actor(user), body, by_mail=by_mail)
        await self._heard(before)
        return comment

    async def edit_comment(self, user: User, comment: Comment | ReviewComment, body: str) -> None:
        """Change a comment."""
        before = len(self.deliveries)
        if isinstance(comment, ReviewComment):
            reviews.edit_comment(comment, Actor(user), body)
        else:
            comments.edit(comment, Actor(user), body)
        await self._heard(before)

    async def delete_comment(self, user: User, comment: Comment | ReviewComment) -> None:
        """Remove a comment."""
        before = len(self.deliveries)
        if isinstance(comment, ReviewComment):
            reviews.delete_comment(comment, Actor(user))
        else:
            comments.delete(comment, Actor(user))
        await self._heard(before)

    async def reply(self, user: User, to: ReviewComment, body: str) -> ReviewComment:
        """Answer in a review thread."""
        before = len(self.deliveries)
        answer = reviews.reply(to, Actor(user), body)
        await self._heard(before)
        return answer

    def react(self, user: User, to: Comment | ReviewComment | Issue, content: str) -> None:
        """Put an emoji on something; GitHub sends no webhook for it."""
        comments.react(self.world.site, to, Actor(user), content)

    async def press(
        self, user: User, repository: Repository, run: CheckRun, button: str | None = None
    ) -> None:
        """Press a button of a check run, or Re-run where no identifier is given."""
        before = len(self.deliveries)
        checks.press(self.world, repository.state, run, Actor(user), button)
        await self._heard(before)

    async def press_all(self, user: User, repository: Repository, run: CheckRun) -> None:
        """Press Re-run all checks, where the checks of a run's App are shown."""
        before = len(self.deliveries)
        checks.press_all(self.world, repository.state, run, Actor(user))
        await self._heard(before)

    # webhooks

    @property
    def delivering(self) -> bool:
        """True while webhooks are sent; switched off they are dropped, but logged."""
        return self._server.sender.enabled

    @delivering.setter
    def delivering(self, on: bool) -> None:
        self._server.sender.enabled = on

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Send a delivery again under the same GUID and wait for the answer."""
        again = deliveries.again(self.world, delivery)
        await self.settle()
        return again

    async def ping(self, app: App) -> Delivery:
        """Send the ping that GitHub sends when a hook is saved."""
        delivery = deliveries.make(self.world, accounts.ping(self.world.site, app), app, None)
        deliveries.send(self.world, delivery)
        await self.settle()
        return delivery

    async def _heard(self, before: int) -> None:
        """Wait for the deliveries after the first `before` of the log."""
        await self._server.sender.settle_these(self.deliveries[before:])

    async def settle(self) -> None:
        """Wait until every delivery under way has been answered."""
        await self._server.sender.settle()

    async def until(self, condition: Callable[[], T], timeout: float | None = None) -> T:  # noqa: ASYNC109  (a test's patience)
        """Wait for the state to be as wanted and return what the condition returned.

        Raises TimeoutError after `timeout` seconds, or after `patience` where none is given.
        """
        most = self.patience if timeout is None else timeout
        loop = asyncio.get_running_loop()
        end = loop.time() + most
        while not (value := condition()):
            left = end - loop.time()
            if left <= 0:
                raise TimeoutError(
                    f"not so within {most:g} s\n{tell_recent(self.world, self.requests)}"
                )
            self.world.site.change.clear()
            try:
                await asyncio.wait_for(self.world.site.change.wait(), min(left, LOOK_AGAIN))
            except TimeoutError:
                continue
        return value
