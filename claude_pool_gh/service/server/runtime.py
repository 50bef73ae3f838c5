"""Wires the packages together: the one place where every part meets the parts it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import aiohttp

from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.audit.scheduler import AuditScheduler
from claude_pool_gh.conversation.host_steps.elsewhere import with_commits
from claude_pool_gh.conversation.host_steps.renamed_repository import under_present_name
from claude_pool_gh.conversation.host_steps.step_retries import LONGEST, patient
from claude_pool_gh.conversation.intake.catching_up import CatchUp
from claude_pool_gh.conversation.intake.command_policy import CommandPolicy
from claude_pool_gh.conversation.intake.command_worker import CommandWorker
from claude_pool_gh.conversation.intake.event_handler import EventHandler
from claude_pool_gh.conversation.repository.config_loader import ConfigLoader
from claude_pool_gh.conversation.secret_filter import without_secrets
from claude_pool_gh.conversation.services import Defaults, Services
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.github import abandoned, restored, thread_rows
from claude_pool_gh.github.access import Access, AppAccess, JobAccess
from claude_pool_gh.github.api import TIMEOUT, Forge
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.listeners import Refused, unheard
from claude_pool_gh.github.effects.writer import Writer
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, RateLimited
from claude_pool_gh.pool import earlier_workers
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import PoolConfig, ScalingConfig, SlotMode, microdollars
from claude_pool_gh.pool.model.ports import Agent
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.dispatch_lock import dispatching_from
from claude_pool_gh.reports.redact import Redactor
from claude_pool_gh.service.monitoring import clock_skew, spans
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch
from claude_pool_gh.service.monitoring.metrics import Metrics
from claude_pool_gh.service.monitoring.monitor import Monitor
from claude_pool_gh.service.monitoring.readiness import Readiness
from claude_pool_gh.service.monitoring.repository_caps import RepositoryCaps
from claude_pool_gh.service.monitoring.traces import NoTraces, Traces, open_traces
from claude_pool_gh.service.server.counts import show_counts
from claude_pool_gh.service.server.incoming import Incoming
from claude_pool_gh.service.server.journal import Journal
from claude_pool_gh.service.server.pushing import pusher
from claude_pool_gh.service.server.retention import Retention
from claude_pool_gh.service.server.sandboxes import sandbox_of
from claude_pool_gh.service.server.state_folder import close_state
from claude_pool_gh.service.server.watching import Watching, trace_effect
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database
from claude_pool_gh.storage.notices import notices
from claude_pool_gh.worktrees.errors import OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Logins, Worktrees

logger = logging.getLogger(__name__)

_CLERKS = 4
_PATIENCE = {"app": LONGEST, "action": 1800.0}
"""Seconds for which a step waits for GitHub; a job of GitHub Actions costs money while it waits."""
_LOOK_EVERY = 5.0
_SCHEDULES = 10.0
"""Seconds after which schedules are looked at again."""
_TICK = 30.0
"""Seconds after which the comments of what runs are looked at; they change once a minute, or when the cost does."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The running parts that a server, a worker or a job needs."""

    database: Database
    clock: SystemClock
    services: Services
    writer: Writer
    screen: Callable[[Effect], Effect]
    """The last look at what leaves, as the writer takes it."""
    pool: Pool
    command_worker: CommandWorker
    event_handler: EventHandler
    progress: Progress
    monitor: Monitor
    retention: Retention
    catch_up: CatchUp | None = None
    scheduler: AuditScheduler | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    incoming: Incoming = field(default_factory=Incoming)
    traces: Traces = field(default_factory=NoTraces)
    beats: dict[str, float] = field(default_factory=dict)
    """When each loop of this process last went round, by the monotonic clock."""

    def wake(self) -> None:
        """Commands have come in."""
        self.arrived.set()

    async def serve_commands(self) -> None:
        """Handle commands for ever: what comes in, and what was postponed."""
        while True:
            self.arrived.clear()
            try:
                await self.handle_due()
                self.beats["the handling of commands"] = time.monotonic()
            except Exception:
                logger.exception("commands not handled", extra={"action": "commands_failed"})
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

    async def start_audits_for_ever(self) -> None:
        """Start audits that are due, again and again."""
        while self.scheduler is not None:
            try:
                if await self.scheduler.look():
                    self.wake()
            except Exception:
                logger.exception("schedules not looked at", extra={"action": "schedules_failed"})
            await asyncio.sleep(_SCHEDULES)

    async def show_time_for_ever(self) -> None:
        """Bring the time and the cost of what runs up to date, again and again."""
        while True:
            await asyncio.sleep(_TICK)
            try:
                for chain_id in await self.database.read(self.progress.running):
                    await self.database.transact(partial(self.progress.tick, chain_id=chain_id))
                self.writer.wake()
            except Exception:
                logger.exception("time not shown", extra={"action": "tick_failed"})

    async def handle_due(self) -> None:
        """Handle every command that is due, a few at a time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_CLERKS):
                group.create_task(self._handle_some())

    async def _handle_some(self) -> None:
        await self.incoming.turn()
        while (chain_id := await self.command_worker.handle_next()) is not None:
            self.writer.wake()
            if chain_id:
                self.pool.wake()
            await self.incoming.turn()


def defaults_of(settings: Settings) -> Defaults:
    """The decisions of this server where a repository makes none."""
    return Defaults(
        model=settings.model,
        pool_cap=None if settings.budget_usd is None else microdollars(settings.budget_usd),
        idle_seconds=settings.idle_timeout,
        wall_seconds=settings.wall_timeout,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterOptions:
    """The options of a process that writes to GitHub, where it differs from a server."""

    refused: Refused = unheard
    """Is told of each of GitHub's final refusals."""
    look_first: bool = False
    """Whether GitHub may know more than the database."""
    also: Callable[[Effect], Effect] = lambda effect: effect
    """May add to what is written, once it was looked through for secrets."""


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    runs_in: str = "app",
    job_token: str | None = None,
    guard: Callable[[Agent], Agent] = lambda agent: agent,
    keeps: Callable[[], bool] = lambda: True,
    writing: WriterOptions | None = None,
    forge_of: Callable[[aiohttp.ClientSession, str, Access], Forge] = Forge,
) -> AsyncIterator[Runtime]:
    """Open everything, from the database up, and close it in reverse order.

    `guard` may put something between the pool and its agent. `keeps`: whether what waits for a person can wait here.
    `forge_of` makes GitHub's API.
    """
    writing = writing or WriterOptions()
    close_state(settings.state_dir)
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        traces = await stack.enter_async_context(open_traces(os.environ))
        database = Database.open(settings.database)
        stack.callback(database.close)
        # Before anything is migrated or swept: a second server on the same file changes nothing of the first one's.
        stack.enter_context(dispatching_from(database))
        await earlier_workers.upgrade(database)
        await abandoned.free(database)
        # Directly, or through the one proxy that is set: the environment's is not heeded.
        watch, verb_handlers = GitHubWatch.of(settings.github_api_url), registry.handlers()
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                timeout=TIMEOUT, trace_configs=[watch.trace()], proxy=settings.proxy or None
            )
        )
        access = _access(settings, session, job_token)
        forge = forge_of(session, settings.github_api_url, access)
        worktrees = Worktrees(
            settings.state_dir.absolute(),
            _logins(database, forge, settings.github_server_url, settings.proxy),
            is_shallow=runs_in == "action",
        )
        worktrees.sweep()
        forge.pusher = pusher(database, forge, worktrees, settings)
        redactor = Redactor(settings.all_secrets)
        progress = Progress(clock, verb_handlers, settings.links, runs_in)
        screen = without_secrets(redactor)
        writer = Writer(
            database,
            forge,
            clock.now_ms,
            settings.write_interval,
            screen=lambda effect: writing.also(screen(effect)),
            told=progress.changed,
            refused=writing.refused,
            look_first=writing.look_first
            or await database.read(partial(restored.is_recent, now_ms=clock.now_ms())),
        )
        writer.watched = partial(trace_effect, traces)
        writer.start()
        stack.push_async_callback(writer.close)

        services = Services(
            database=database,
            forge=forge,
            worktrees=worktrees,
            clock=clock,
            defaults=defaults_of(settings),
            runs_in=runs_in,
            keeps=keeps,
            links=settings.links,
            sandbox=sandbox_of(settings),
            holds_secret=redactor.holds,
        )
        # A job runs a commit whose tests have done so, and its first comment is waited for.
        if runs_in == "app":
            registry.check_recipes(verb_handlers, services)
        metrics = Metrics(name for name, handler in verb_handlers.items() if handler.verb.spends)
        observer = Watching(progress, writer, Journal(metrics.ended, traces.add, clock.now_ms()))
        agent = ClaudeAgent(
            key=settings.anthropic_api_key.get_secret_value(),
            base_url=settings.anthropic_base_url,
            proxy=settings.proxy,
            redact=redactor,
            patience_seconds=settings.model_patience,
            live=False,  # a comment shows steps, not words
        )
        hosts = {
            name: patient(
                under_present_name(database, with_commits(worktrees, step)),
                longest=_PATIENCE[runs_in],
            )
            for handler in verb_handlers.values()
            for name, step in handler.host_steps(services).items()
        }
        pool = await stack.enter_async_context(
            Pool.open(
                guard(agent),
                slots=settings.slots,
                config=_pool_config(settings),
                state=settings.state_dir,
                store=database,
                workspaces=worktrees,
                host_steps=hosts,
                observer=observer,
                clock=clock,
            )
        )
        config_loader = ConfigLoader(forge, frozenset(verb_handlers))
        command_worker = CommandWorker(
            CommandPolicy(services, verb_handlers, config_loader),
            observer,
            watched=lambda *told: traces.add(spans.of_command(*told)),
        )
        scheduler = AuditScheduler(services, config_loader, writer.wake)
        event_handler = EventHandler(clock, observer)
        catch_up = None
        if isinstance(access, AppAccess):
            catch_up = CatchUp(
                database=database, forge=forge, access=access, clock=clock, told=event_handler.take
            )
        if database.engine.dialect.name == "postgresql":
            listening = asyncio.create_task(_wake_for_others(database, writer))
            stack.callback(listening.cancel)
        beats: dict[str, float] = {}
        monitor = Monitor(
            database=database,
            folder=settings.state_dir.absolute(),
            load=lambda: pool.load,
            now_ms=clock.now_ms,
            pool_cap=services.defaults.pool_cap,
            github=watch,
            metrics=metrics,
            readiness=Readiness(
                database,
                settings.state_dir.absolute(),
                watch,
                lambda: {**beats, "the writer of effects": writer.looked},
            ),
            repository_caps=RepositoryCaps(database=database, now_ms=clock.now_ms),
        )
        show_counts(metrics, writer, agent.answers, watch, command_worker)
        yield Runtime(
            database=database,
            clock=clock,
            services=services,
            writer=writer,
            screen=screen,
            pool=pool,
            command_worker=command_worker,
            event_handler=event_handler,
            progress=progress,
            monitor=monitor,
            retention=Retention(
                settings=settings,
                database=database,
                clock=clock,
                worktrees=worktrees,
                clock_skew=watch.clock_skew,
                ask_the_time=partial(clock_skew.ask, session, settings.github_api_url),
            ),
            catch_up=catch_up,
            beats=beats,
            scheduler=scheduler,
            traces=traces,
        )


async def _wake_for_others(database: Database, writer: Writer) -> None:
    """Write at once what another process wants written, where this one is the installation's writer."""
    async for _ in notices(database, "claude_pool_effects"):
        writer.wake()


def _pool_config(settings: Settings) -> PoolConfig:
    """Nobody sits beside a server to be asked, and nothing of one stranger's task may be there for the next one's."""
    return PoolConfig(
        unattended_mode=True,
        slot_mode=SlotMode.ephemeral,
        supervisor_interval_secs=5,
        scaling=ScalingConfig(min_slots=0, max_slots=max(16, settings.slots)),
    )


def _access(settings: Settings, session: aiohttp.ClientSession, job_token: str | None) -> Access:
    if job_token is not None:
        return JobAccess(session, settings.github_api_url, job_token)
    return AppAccess(session, settings.github_api_url, settings.app_id, settings.key)


def _logins(database: Database, forge: Forge, server_url: str, proxy: str) -> Logins:
    async def login(repository_id: int, fresh: bool) -> Credentials:
        repository = await database.read(lambda tx: thread_rows.repository(tx, repository_id))
        try:
            token = await forge.access.token(repository, fresh=fresh)
        except (ForgeUnavailable, RateLimited) as error:
            raise OriginUnavailable("GitHub gave no token now", str(error)) from error
        except ForgeRefused as error:
            raise WorktreeError(f"GitHub gave no token: {error}") from error
        url = f"{server_url.rstrip('/')}/{repository.owner}/{repository.name}.git"
        return Credentials(token, url, proxy)

    return login
