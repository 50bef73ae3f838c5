"""Runs one task with the real Claude CLI through the SDK."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from claude_pool_gh.agent import conversations, models, powers, process
from claude_pool_gh.agent.connection import Connection, Credential
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.agent.outcome import AgentRunFacts, judge
from claude_pool_gh.agent.own_gateway import OwnGateway
from claude_pool_gh.agent.passes import PLACEHOLDER_KEY, Pass, RunAdmission, SignsOfLife
from claude_pool_gh.agent.record import Record
from claude_pool_gh.pool.model import arguments
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Clock, Ending
from claude_pool_gh.storage import Database

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeSDKClient
    from claude_agent_sdk.types import Message

logger = logging.getLogger(__name__)

_INTERRUPT_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_PINGS: Final = 4
"""How many times the idle limit pings alone may hold a run beyond it."""
_API: Final = "https://api.anthropic.com"
_QUIET: Final = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_BUG_COMMAND": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_MAX_RETRIES": "3",
}


_LEAST_SECRET: Final = 8
"""Characters below which a key is no secret but a stand-in, and may be part of any word."""

MODEL: Final = "claude-sonnet-5-5"
"""What runs where nobody names a model."""


@dataclass(slots=True)
class ClaudeAgent:
    """The Claude CLI, one process for each run, with the gateway between it and the model's API.

    Unless it is `trusted`, an agent reaches nothing but the files of its folder: other tools are refused.
    """

    key: str | None = None
    """The API's key, which no agent sees. Default: ANTHROPIC_API_KEY."""
    base_url: str | None = None
    """The model's API. Default: ANTHROPIC_BASE_URL, else Anthropic's own."""
    model: str = MODEL
    """What runs where nobody names a model: an id, or one of the CLI's short names, such as `haiku`."""
    trusted: bool = False
    """Let agents have every tool that they are given, Bash among them, with all that this process can reach."""
    redact: Callable[[str], str] | None = None
    """Applied to everything that is kept of a run. Default: takes out the key."""
    cli: Path | None = None
    """Default: the CLI in the SDK's own wheel."""
    live: bool = True
    """Follow what agents say piece by piece, for those who watch; else message by message, which costs less CPU."""
    start_seconds: float = 45.0
    patience_seconds: float = 300.0
    """How long a request waits for a model's API that is overloaded, broken or not there."""
    credential: Credential | None = None
    """What the API knows us by, in place of the key."""
    gateway: RunAdmission | None = None
    """An open one, where several share it; else each pool opens its own."""
    proxy: str = ""
    """Through which the model's API is reached; "": directly, whatever the environment names."""
    answers: Counter[str] = field(default_factory=Counter)
    """How often the model's API answered with each HTTP status, or was `unreachable`."""

    keeps_time: ClassVar[bool] = True
    """It ends its runs by its own clocks: see `Agent`."""

    def __post_init__(self) -> None:
        """Refuse what is of another type. Raises TypeError."""
        arguments.fields(self)

    def least(self, task: AgentTask) -> int:
        """Microdollars that the run's first request needs. Raises ValueError for what this agent may not do."""
        task = self._settled(task)
        if (why := powers.refusal(task, trusted=self.trusted)) is not None:
            raise ValueError(why)
        return models.least(task)

    def _settled(self, task: AgentTask) -> AgentTask:
        """The task with the models' full ids."""
        mode, second = task.permission_mode, task.fallback_model
        return replace(
            task,
            model=models.resolved(task.model or self.model, mode),
            fallback_model=None if second is None else models.resolved(second, mode),
        )

    @asynccontextmanager
    async def at_work(self, database: Database, clock: Clock) -> AsyncIterator[ClaudeAgent]:
        """A copy with a gateway to this pool's money. Raises ValueError without a key."""
        if self.gateway is not None:
            yield self
            return
        key = self.key or os.environ.get("ANTHROPIC_API_KEY", "")
        if not key:
            raise ValueError(
                "there is no key for the model's API: set ANTHROPIC_API_KEY or give ClaudeAgent(key=...)"
            )
        process.sweep()
        upstream = self.base_url or os.environ.get("ANTHROPIC_BASE_URL") or _API
        connection = Connection(self.credential, self.proxy, self.answers)
        gateway = OwnGateway(
            Meter(database, clock), upstream, key, self.patience_seconds, connection
        )
        redact = self.redact
        if redact is None and len(key) >= _LEAST_SECRET:
            redact = lambda text: text.replace(key, "[key]")  # noqa: E731 - one word of a setting
        try:
            # A copy, whatever a class made of this one takes to make another.
            bound = copy(self)
            bound.gateway, bound.redact = gateway, redact
            yield bound
        finally:
            await gateway.close()

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        """Run the task in `folder` to its end; see `Agent.run`."""
        if self.gateway is None:
            raise RuntimeError("the agent is not at work: it runs inside `Pool.open`, or `at_work`")
        folder, task = folder.resolve(), self._settled(task)
        facts = AgentRunFacts(Record(self.redact or str, str(folder)))
        try:
            cli = self.cli or process.bundled_cli()
        except FileNotFoundError as error:
            return AgentOutcome(
                ending=Ending.failed, reason=str(error), model=models.plain(task.model), broken=True
            )
        if (why := powers.refusal(task, trusted=self.trusted)) is not None:
            return AgentOutcome(ending=Ending.failed, reason=why, model=models.plain(task.model))
        started = time.monotonic()
        may = frozenset(models.plain(each) for each in (task.model, task.fallback_model) if each)
        async with self.gateway.admit(
            task.run_id, may, task.budget_microdollars, step=task.step_microdollars
        ) as (run, url):
            run.unchecked = True
            environment = _QUIET | {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": PLACEHOLDER_KEY}
            changes = powers.may_change(task, folder, trusted=self.trusted)
            with process.prepare(cli, environment, changes) as launch:
                try:
                    conversations.bring(task.conversation, launch.config, folder)
                except LookupError as error:
                    return AgentOutcome(
                        ending=Ending.failed, reason=str(error), model=models.plain(task.model)
                    )
                await self._watch(task, folder, launch, facts, line, run)
                conversations.keep(task.conversation, launch.config, facts.session_id)
            if facts.stopped:
                run.hurry()
        facts.elapsed_ms = int((time.monotonic() - started) * 1000)
        facts.command = str(cli)
        return judge(task, facts, line, run)

    async def _watch(
        self,
        task: AgentTask,
        folder: Path,
        launch: process.Launch,
        facts: AgentRunFacts,
        line: AgentChannel,
        run: Pass,
    ) -> None:
        """Drive the CLI under three clocks, and leave no process behind on any way out."""
        os.environ["CLAUDE_AGENT_SDK_SKIP_VERSION_CHECK"] = (
            "1"  # the CLI is the SDK's own: no second process
        )
        from claude_agent_sdk import ClaudeSDKClient  # noqa: PLC0415 - half a second, and only runs need it

        from claude_pool_gh.agent.options import options  # noqa: PLC0415 - the same
        from claude_pool_gh.agent.reminder import Reminder  # noqa: PLC0415 - the same

        reminder = Reminder(task, lambda: run.turns)
        client = ClaudeSDKClient(
            options(task, folder, launch, facts, reminder, trusted=self.trusted, live=self.live)
        )
        session = _Session(client, launch, run.signs)
        try:
            async with asyncio.timeout(task.wall_seconds) as wall, _ended_by(line.stop, wall):
                await session.start(self.start_seconds)
                await client.query(task.prompt)
                async for message in session.messages(task.idle_seconds):
                    facts.take(message, task, line)
                    # it has said what it runs with, and that is as it should be
                    if facts.session_id is not None:
                        run.checked.set()
        except TimeoutError:
            facts.stopped = line.stop.is_set()
            facts.timed_out = session.clock or f"it ran longer than {task.wall_seconds:.0f} seconds"
        except Exception as error:  # noqa: BLE001 - the edge to the SDK, whose errors have no common root
            facts.broke = f"{type(error).__name__}: {error}"
            facts.exit_code = getattr(error, "exit_code", None)
        finally:
            facts.started = session.started
            ending = asyncio.create_task(session.end(facts, task, line))
            await _to_the_end(ending)


@asynccontextmanager
async def _ended_by(stop: asyncio.Event, wall: asyncio.Timeout) -> AsyncIterator[None]:
    """Let the wall clock run out when the run is no longer wanted."""

    async def listen() -> None:
        await stop.wait()
        if wall.when() is not None and not wall.expired():
            wall.reschedule(asyncio.get_running_loop().time())

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()


async def _to_the_end(work: asyncio.Task[None]) -> None:
    """Wait for clean-up even when cancelled, and again: a second cancel must not leave a process behind."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


@dataclass(slots=True)
class _Session:
    client: ClaudeSDKClient
    launch: process.Launch
    signs: SignsOfLife
    clock: str = ""
    connecting: asyncio.Task[None] | None = None
    started: bool = False
    finished: bool = False

    async def start(self, seconds: float) -> None:
        # A task of its own: where it is cancelled the SDK waits 5 seconds for a CLI that nobody has ended yet.
        self.connecting = asyncio.create_task(self.client.connect())
        loop = asyncio.get_running_loop()
        deadline, over = loop.time() + seconds, False
        while not self.connecting.done():
            if over:  # the SDK would go on waiting for a CLI that said nothing and is gone
                raise ConnectionError("it ended before it had started")
            if loop.time() >= deadline:
                self.clock = f"the CLI did not start within {seconds:.0f} seconds"
                raise TimeoutError(self.clock)
            over = self.launch.is_over()
            await asyncio.wait(
                [self.connecting], timeout=min(_LOOK_SECONDS, deadline - loop.time())
            )
        self.connecting.result()
        self.started = True

    async def messages(self, idle_seconds: float) -> AsyncIterator[Message]:
        """The run's messages; `idle_seconds` without a sign of work are a timeout.

        Signs of work are the CLI's messages, except that it tries again, and the pieces of an answer, also while
        nothing of it reaches the CLI's own output. A model that thinks may send nothing but pings: they hold a run
        for `_PINGS` times as long. A wait for an API that is not there has its own end, see `Gateway`.
        """
        stream = self.client.receive_response()
        heard = time.monotonic()
        while True:
            waiting = asyncio.ensure_future(anext(stream))
            try:
                while not waiting.done():
                    now = time.monotonic()
                    left = 1.0 if self.signs.waiting else self._left(heard, now, idle_seconds)
                    if left <= 0:
                        self.clock = f"nothing was heard of it for {idle_seconds:.0f} seconds"
                        raise TimeoutError(self.clock)
                    await asyncio.wait({waiting}, timeout=left)
                message = waiting.result()
            except StopAsyncIteration:
                self.finished = True
                return
            finally:
                if not waiting.done():
                    waiting.cancel()
                    await asyncio.wait({waiting})
            if getattr(message, "subtype", "") != "api_retry":
                heard = time.monotonic()
            yield message

    def _left(self, heard: float, now: float, idle_seconds: float) -> float:
        """Seconds until silence has lasted too long."""
        worked = max(heard, self.signs.work)
        pinged = min(self.signs.ping, worked + _PINGS * idle_seconds)
        return max(worked, pinged) + idle_seconds - now

    async def end(self, facts: AgentRunFacts, task: AgentTask, line: AgentChannel) -> None:
        """Interrupt what still runs, so that the CLI says how far it came; then end every process."""
        if self.started and not self.finished and not facts.has_result:
            with suppress(Exception):
                async with asyncio.timeout(_INTERRUPT_SECONDS):
                    await self.client.interrupt()
                    async for message in self.client.receive_response():
                        facts.take(message, task, line)
        closing = asyncio.create_task(self._close())
        if self.finished or facts.has_result:
            await asyncio.wait([closing], timeout=1.0)
        # again and again: a launcher that is only just starting has no process id yet
        while not closing.done():
            await self.launch.end()
            await asyncio.wait([closing], timeout=0.05)
        await self.launch.end()

    async def _close(self) -> None:
        if self.connecting is not None:
            self.connecting.cancel()
            await asyncio.gather(self.connecting, return_exceptions=True)
        with suppress(Exception):
            await self.client.disconnect()
