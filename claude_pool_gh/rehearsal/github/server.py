"""The simulated GitHub itself: start it, put accounts and repositories on it, act as people do."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from aiohttp import web

from claude_pool_gh.rehearsal.github.acts import accounts, comments, pushes, reviews
from claude_pool_gh.rehearsal.github.clock import Clock
from claude_pool_gh.rehearsal.github.deliveries import Deliveries, Delivery
from claude_pool_gh.rehearsal.github.git import Files, GitDir
from claude_pool_gh.rehearsal.github.limits import Limits
from claude_pool_gh.rehearsal.github.people import Actor, App, Installation, Permissions, User
from claude_pool_gh.rehearsal.github.repository import Repository
from claude_pool_gh.rehearsal.github.routes import table
from claude_pool_gh.rehearsal.github.routes.graphql import PATH as GRAPHQL
from claude_pool_gh.rehearsal.github.story import tell_recent
from claude_pool_gh.rehearsal.github.threads import Comment, Issue, ReviewComment
from claude_pool_gh.rehearsal.github.tokens import Token
from claude_pool_gh.rehearsal.github.verdicts import CheckRun
from claude_pool_gh.rehearsal.github.web import registration
from claude_pool_gh.rehearsal.github.web.faults import Faults, Hook
from claude_pool_gh.rehearsal.github.web.front import PREFIX, Front
from claude_pool_gh.rehearsal.github.web.journal import Observer, Request, WebhookSent
from claude_pool_gh.rehearsal.github.web.rates import Rates
from claude_pool_gh.rehearsal.github.web.transport import Transport
from claude_pool_gh.rehearsal.github.world import ACTIONS_BOT_ID, World

T = TypeVar("T")
MOST_BYTES = 256 * 1024 * 1024
LOOK_AGAIN = 0.25


class SimulatedGitHub:
    """One GitHub with its state in memory and its repositories in a directory.

    All methods belong to the thread of the event loop it was made for, whether or not the loop is running
    just then: a plain fixture may build the scene.
    """

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.world = World(directory)
        rates = Rates(self.world)
        self.deliveries_out = Deliveries(self.world, self._sent, loop)
        self.front = Front(self.world, table(rates, self.deliveries_out), rates)
        self.world.listeners.append(self.deliveries_out.hear)
        self.actions_bot = self.world.user("github-actions[bot]", "Bot", ACTIONS_BOT_ID)

    @classmethod
    @asynccontextmanager
    async def start(cls, directory: Path | str) -> AsyncIterator[SimulatedGitHub]:
        """Serve on a free port of the loopback interface until the block ends."""
        github = cls(Path(directory), asyncio.get_running_loop())
        application = web.Application(client_max_size=MOST_BYTES)
        application.router.add_route("*", PREFIX + "{tail:/.*}", github.front.serve)
        application.router.add_route("POST", GRAPHQL, github.front.serve)
        application.router.add_route("*", "/{owner}/{repo}.git/{tail:.*}", Transport(github.front).serve)
        registration.add_to(application, github.world)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        github.world.url = f"http://{host}:{port}"
        try:
            yield github
        finally:
            await github.deliveries_out.close()
            await runner.cleanup()

    def _sent(self, delivery: Delivery) -> None:
        seen = WebhookSent(delivery.event, delivery.action, delivery.payload)
        for observer in self.front.observers:
            observer(seen)

    # the wire

    @property
    def url(self) -> str:
        """What GITHUB_SERVER_URL would say."""
        return self.world.url

    @property
    def api_url(self) -> str:
        """What GITHUB_API_URL would say."""
        return self.world.api_url

    @property
    def clock(self) -> Clock:
        """The time here; `clock.advance(seconds)` lets it pass."""
        return self.world.clock

    @property
    def limits(self) -> Limits:
        """Sizes and rates, adjustable."""
        return self.world.limits

    @property
    def faults(self) -> Faults:
        """Planned misfortune."""
        return self.front.faults

    @property
    def requests(self) -> list[Request]:
        """Every request that came in, API and git."""
        return self.front.requests

    @property
    def unknown_routes(self) -> list[Request]:
        """API requests to routes that are not simulated."""
        return self.front.unknown

    @property
    def deliveries(self) -> list[Delivery]:
        """Every webhook, oldest first."""
        return self.deliveries_out.log

    def observe(self, observer: Observer) -> None:
        """Show every exchange and every webhook to a callback."""
        self.front.observers.append(observer)

    def on_request(self, hook: Hook) -> None:
        """Await a callback before and after the effect of every request, and before its answer is sent."""
        self.front.faults.hooks.append(hook)

    # accounts

    def create_user(self, login: str) -> User:
        """A person."""
        return self.world.user(login)

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
        return accounts.create_app(self.world, slug, webhook_url, webhook_secret, permissions, events)

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
        account = self.world.user(owner, "Organization")
        mine = [one for one in self.world.repositories.values() if one.owner is account]
        chosen = mine if repositories is None else list(repositories)
        return accounts.install(self.world, app, account, chosen, permissions, events)

    def add_repositories(self, installation: Installation, *repositories: Repository) -> None:
        """Let an installation see more repositories."""
        accounts.change_repositories(installation, added=repositories)

    def remove_repositories(self, installation: Installation, *repositories: Repository) -> None:
        """Take repositories from an installation."""
        accounts.change_repositories(installation, removed=repositories)

    def uninstall(self, installation: Installation) -> None:
        """Remove the App from the account; its tokens die at once."""
        accounts.uninstall(self.world, installation)

    async def suspend(self, installation: Installation, *, on: bool = True) -> None:
        """Suspend an installation, or bring it back, and wait until its App has heard."""
        before = len(self.deliveries)
        accounts.suspend(self.world, installation, on=on)
        await self.deliveries_out.settle_since(before)

    def create_repository(
        self,
        full_name: str,
        files: Files | None = None,
        *,
        private: bool = False,
        message: str = "Initial commit",
    ) -> Repository:
        """A repository with a first commit on `main`, owned by an organization unless a user has the name."""
        owner_login, _, name = full_name.partition("/")
        owner = self.world.user(owner_login, "Organization")
        git = GitDir.create(self.world.directory / f"{full_name}.git")
        repository = Repository(
            self.world, self.world.ids.next(), owner, name, git, self.world.now(), private
        )
        self.world.repositories[full_name.lower()] = repository
        if files != {}:
            first = files or {"README.md": f"# {name}\n"}
            pushes.commit(repository, "main", first, message=message, actor=Actor(owner, quiet=True))
        return repository

    def create_token(
        self, user: User, repository: Repository | None = None, permissions: Mapping[str, str] | None = None
    ) -> str:
        """A static token.

        For `actions_bot` it is a workflow's GITHUB_TOKEN: one repository, given permissions, and nothing that
        it does causes webhooks. For a person it is their own token, with all that their role allows.
        """
        quiet = user is self.actions_bot
        if quiet:
            permissions = {"metadata": "read", **(permissions or {"contents": "read"})}
        kind = "ghs" if quiet else "ghp"
        secret = f"{kind}_{secrets.token_hex(18)}"
        only = None if repository is None else frozenset({repository.id})
        token = Token(f"{kind}-{self.world.ids.next()}", secret, user, permissions, only, quiet=quiet)
        return self.world.tokens.add(token).secret

    def create_installation_token(
        self,
        installation: Installation,
        permissions: Mapping[str, str] | None = None,
        repositories: Iterable[Repository] | None = None,
    ) -> str:
        """An installation token without the round trip."""
        only = None if repositories is None else [one.id for one in repositories]
        return accounts.installation_token(self.world, installation, permissions, only).secret

    # people at work

    async def comment(
        self, user: User, repository: Repository, number: int, body: str, *, by_mail: bool = False
    ) -> Comment:
        """Say something in a thread, and wait until the webhooks of it have been answered."""
        before = len(self.deliveries)
        comment = comments.create(repository.issue(number), Actor(user), body, by_mail=by_mail)
        await self.deliveries_out.settle_since(before)
        return comment

    async def edit_comment(self, user: User, comment: Comment | ReviewComment, body: str) -> None:
        """Change a comment."""
        before = len(self.deliveries)
        if isinstance(comment, ReviewComment):
            reviews.edit_comment(comment, Actor(user), body)
        else:
            comments.edit(comment, Actor(user), body)
        await self.deliveries_out.settle_since(before)

    async def delete_comment(self, user: User, comment: Comment | ReviewComment) -> None:
        """Remove a comment."""
        before = len(self.deliveries)
        if isinstance(comment, ReviewComment):
            reviews.delete_comment(comment, Actor(user))
        else:
            comments.delete(comment, Actor(user))
        await self.deliveries_out.settle_since(before)

    async def reply(self, user: User, to: ReviewComment, body: str) -> ReviewComment:
        """Answer in a review thread."""
        before = len(self.deliveries)
        answer = reviews.reply(to, Actor(user), body)
        await self.deliveries_out.settle_since(before)
        return answer

    def react(self, user: User, to: Comment | ReviewComment | Issue, content: str) -> None:
        """Put an emoji on something; GitHub sends no webhook for it."""
        comments.react(self.world, to, Actor(user), content)

    async def press(
        self, user: User, repository: Repository, run: CheckRun, button: str | None = None
    ) -> None:
        """Press a button of a check run, or Re-run where no identifier is given."""
        before = len(self.deliveries)
        accounts.press(repository, run, Actor(user), button)
        await self.deliveries_out.settle_since(before)

    async def press_all(self, user: User, repository: Repository, run: CheckRun) -> None:
        """Press Re-run all checks, where the checks of a run's App are shown."""
        before = len(self.deliveries)
        accounts.press_all(repository, run, Actor(user))
        await self.deliveries_out.settle_since(before)

    # webhooks

    @property
    def delivering(self) -> bool:
        """Whether webhooks go out; switched off they are dropped, but logged."""
        return self.deliveries_out.enabled

    @delivering.setter
    def delivering(self, on: bool) -> None:
        self.deliveries_out.enabled = on

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Send a delivery again under the same GUID and wait for the answer."""
        again = self.deliveries_out.again(delivery)
        await self.settle()
        return again

    async def ping(self, app: App) -> Delivery:
        """Send the ping that GitHub sends when a hook is saved."""
        delivery = self.deliveries_out.make(accounts.ping(self.world, app), app, None)
        self.deliveries_out.start(delivery)
        await self.settle()
        return delivery

    async def settle(self) -> None:
        """Wait until every delivery under way has been answered."""
        await self.deliveries_out.settle()

    async def until(self, condition: Callable[[], T], timeout: float = 10.0) -> T:  # noqa: ASYNC109  (a test's patience)
        """Wait for the state to be as wanted and return what the condition returned."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not (value := condition()):
            left = end - loop.time()
            if left <= 0:
                raise TimeoutError(f"not so within {timeout:g} s\n{tell_recent(self)}")
            self.world.stir.clear()
            try:
                await asyncio.wait_for(self.world.stir.wait(), min(left, LOOK_AGAIN))
            except TimeoutError:
                continue
        return value
