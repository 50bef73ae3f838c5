"""Wires the rooms together: the one place where every part meets the parts it needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import sqlalchemy as sa

from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.conversation import verbs
from claude_pool_gh.conversation.catching_up import CatchUp
from claude_pool_gh.conversation.clerk import Clerk
from claude_pool_gh.conversation.desk import Defaults, Desk
from claude_pool_gh.conversation.gazette import Gazette
from claude_pool_gh.conversation.judge import Judge
from claude_pool_gh.conversation.moved import under_present_name
from claude_pool_gh.conversation.progress import Progress
from claude_pool_gh.conversation.screen import screened
from claude_pool_gh.conversation.setup import Setups
from claude_pool_gh.github import tables
from claude_pool_gh.github.access import Access, AppAccess, JobAccess
from claude_pool_gh.github.api import TIMEOUT, Forge
from claude_pool_gh.github.effects.writer import Writer
from claude_pool_gh.pool.clock import SystemClock
from claude_pool_gh.pool.config import PoolConfig, ScalingConfig, SlotMode, microdollars
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.service.pushing import pusher
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees.git import Login
from claude_pool_gh.worktrees.leases import Logins, Worktrees

logger = logging.getLogger(__name__)

_CLERKS = 4
_LOOK_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class House:
    """The running parts that a door needs."""

    database: Database
    clock: SystemClock
    writer: Writer
    pool: Pool
    clerk: Clerk
    gazette: Gazette
    progress: Progress
    catch_up: CatchUp | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Commands have come in."""
        self.arrived.set()

    async def serve_commands(self) -> None:
        """Handle commands for ever: what comes in, and what was postponed."""
        while True:
            self.arrived.clear()
            try:
                await self.handle_due()
            except Exception:
                logger.exception("clerk failed", extra={"action": "clerk_failed"})
            try:
                async with asyncio.timeout(_LOOK_EVERY):
                    await self.arrived.wait()
            except TimeoutError:
                continue

    async def catch_up_for_ever(self, seconds: float) -> None:
        """Look for what was not delivered, at once and then again and again."""
        while self.catch_up is not None:
            try:
                if await self.catch_up.everything():
                    self.wake()
            except Exception:
                logger.exception("not caught up", extra={"action": "catch_up_failed"})
            await asyncio.sleep(seconds)

    async def handle_due(self) -> None:
        """Handle every command that is due, a few at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_CLERKS):
                group.create_task(self._handle_some())

    async def _handle_some(self) -> None:
        while (chain_id := await self.clerk.handle_next()) is not None:
            self.writer.wake()
            if chain_id:
                self.pool.wake()


def defaults_of(settings: Settings) -> Defaults:
    """What this server decides where a repository does not."""
    return Defaults(
        model=settings.model,
        pool_cap=None if settings.budget_usd is None else microdollars(settings.budget_usd),
        idle_seconds=settings.idle_timeout,
        wall_seconds=settings.wall_timeout,
    )


@asynccontextmanager
async def open_house(
    settings: Settings, *, door: str = "app", job_token: str | None = None
) -> AsyncIterator[House]:
    """Open everything, from the database up, and close it in reverse order."""
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        database = Database.open(settings.database)
        stack.callback(database.close)
        migrations.upgrade(database.engine)
        # Whatever a URL names is reached directly: a proxy of this machine's would see tokens.
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=TIMEOUT))
        access = _access(settings, session, job_token)
        forge = Forge(session, settings.github_api_url, access)
        worktrees = Worktrees(
            settings.state_dir.absolute(), _logins(database, forge, settings.github_server_url)
        )
        worktrees.sweep()
        forge.pusher = pusher(database, forge, worktrees, settings.github_server_url)
        redactor = Redactor(settings.all_secrets)
        rooms = verbs.rooms(clock)
        progress = Progress(clock, rooms, settings.links)
        writer = Writer(
            database, forge, clock.now_ms, settings.write_interval,
            screen=screened(redactor), told=progress.changed,
        )  # fmt: skip
        writer.start()
        stack.push_async_callback(writer.close)

        desk = Desk(
            database=database, forge=forge, worktrees=worktrees, clock=clock, defaults=defaults_of(settings),
            door=door,
            links=settings.links, sandbox=settings.sandbox, holds_secret=redactor.holds,
        )  # fmt: skip
        watching = _Watching(progress, writer)
        agent = ClaudeAgent(
            key=settings.anthropic_api_key.get_secret_value(),
            base_url=settings.anthropic_base_url,
            redact=redactor,
            patience_seconds=settings.model_patience,
            live=False,  # a comment shows steps, not words
        )
        hosts = {
            name: under_present_name(database, step)
            for room in rooms.values()
            for name, step in room.host_steps(desk).items()
        }
        pool = await stack.enter_async_context(
            Pool.open(
                agent,
                slots=settings.slots,
                config=_pool_config(settings),
                state=settings.state_dir,
                store=database,
                workspaces=worktrees,
                host_steps=hosts,
                observer=watching,
                clock=clock,
            )
        )
        clerk = Clerk(Judge(desk, rooms, Setups(forge, frozenset(rooms))), watching)
        gazette = Gazette(clock, watching)
        catch_up = None
        if isinstance(access, AppAccess):
            catch_up = CatchUp(database=database, forge=forge, access=access, clock=clock, told=gazette.take)
        yield House(database, clock, writer, pool, clerk, gazette, progress, catch_up)


def _pool_config(settings: Settings) -> PoolConfig:
    """Nobody sits beside a server to be asked, and nothing of one stranger's task may be there for the next one's."""
    return PoolConfig(
        unattended_mode=True,
        slot_mode=SlotMode.ephemeral,
        supervisor_interval_secs=5,
        scaling=ScalingConfig(max_slots=max(16, settings.slots)),
    )


@dataclass(frozen=True, slots=True)
class _Watching:
    """Shows every change of a chain, and lets the writer know that there is something to write."""

    progress: Progress
    writer: Writer

    def changed(self, tx: sa.Connection, chain_id: str) -> None:
        self.progress.changed(tx, chain_id)

    def committed(self) -> None:
        self.writer.wake()


def _access(settings: Settings, session: aiohttp.ClientSession, job_token: str | None) -> Access:
    if job_token is not None:
        return JobAccess(session, settings.github_api_url, job_token)
    return AppAccess(session, settings.github_api_url, settings.app_id, settings.key)


def _logins(database: Database, forge: Forge, server_url: str) -> Logins:
    async def login(repository_id: int) -> Login:
        repository = await database.read(lambda tx: _repository(tx, repository_id))
        token = await forge.access.token(repository)
        return Login(token, f"{server_url.rstrip('/')}/{repository.owner}/{repository.name}.git")

    return login


def _repository(tx: sa.Connection, repository_id: int) -> Repository:
    row = tx.execute(sa.select(tables.repositories).where(tables.repositories.c.id == repository_id)).one()
    return Repository(id=row.id, owner=row.owner, name=row.name, installation_id=row.installation_id)
