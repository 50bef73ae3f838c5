"""Runs one task with the real Claude CLI through the SDK."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from claude_pool_gh.agent import process
from claude_pool_gh.agent.gateway import PLACEHOLDER_KEY, Gateway
from claude_pool_gh.agent.guard import refusal
from claude_pool_gh.agent.outcome import Facts, judge
from claude_pool_gh.agent.record import Record
from claude_pool_gh.pool.ports import AgentOutcome, AgentTask, Ending

if TYPE_CHECKING:
    from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient
    from claude_agent_sdk.types import Message

logger = logging.getLogger(__name__)

_INTERRUPT_SECONDS: Final = 3.0
_LOOK_SECONDS: Final = 0.5
_TOOL_OF_RESULTS: Final = "StructuredOutput"
_QUIET: Final = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_BUG_COMMAND": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_MAX_RETRIES": "3",
}


@dataclass(frozen=True, slots=True)
class ClaudeAgent:
    """The pool's agent. `redact` is applied to everything that is kept of a run."""

    gateway: Gateway
    redact: Callable[[str], str]
    cli: Path | None = None
    start_seconds: float = 45.0

    async def run(self, task: AgentTask, folder: Path) -> AgentOutcome:
        """Run the task in `folder` to its end; see `Agent.run`."""
        folder = folder.resolve()
        started = time.monotonic()
        facts = Facts(Record(self.redact, str(folder)))
        try:
            cli = self.cli or process.bundled_cli()
        except FileNotFoundError as error:
            return AgentOutcome(ending=Ending.failed, reason=str(error), model=task.model)
        async with self.gateway.admit(task.run_id, frozenset({task.model})) as (run, url):
            environment = _QUIET | {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": PLACEHOLDER_KEY}
            with process.prepare(cli, environment) as launch:
                await self._watch(task, folder, launch, facts)
        facts.elapsed_ms = int((time.monotonic() - started) * 1000)
        return judge(task, facts, run.verdict, run.detail)

    async def _watch(self, task: AgentTask, folder: Path, launch: process.Launch, facts: Facts) -> None:
        """Drive the CLI under three clocks, and leave no process behind on any way out."""
        os.environ["CLAUDE_AGENT_SDK_SKIP_VERSION_CHECK"] = "1"  # the CLI is the SDK's own: no second process
        from claude_agent_sdk import ClaudeSDKClient  # noqa: PLC0415 - half a second, and only runs need it

        client = ClaudeSDKClient(_options(task, folder, launch, facts))
        session = _Session(client, launch)
        try:
            async with asyncio.timeout(task.wall_seconds):
                await session.start(self.start_seconds)
                await client.query(task.prompt)
                async for message in session.messages(task.idle_seconds):
                    facts.take(message, task)
        except TimeoutError:
            facts.timed_out = session.clock or f"it ran longer than {task.wall_seconds:.0f} seconds"
        except Exception as error:  # noqa: BLE001 - the edge to the SDK, whose errors have no common root
            facts.broke = f"{type(error).__name__}: {error}"
        finally:
            ending = asyncio.create_task(session.end(facts, task))
            await _to_the_end(ending)


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
            await asyncio.wait([self.connecting], timeout=min(_LOOK_SECONDS, deadline - loop.time()))
        self.connecting.result()
        self.started = True

    async def messages(self, idle_seconds: float) -> AsyncIterator[Message]:
        """The run's messages; a silence of `idle_seconds` is a timeout. Retries of the API count as silence."""
        stream = self.client.receive_response()
        deadline = asyncio.get_running_loop().time() + idle_seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    message = await anext(stream)
            except StopAsyncIteration:
                self.finished = True
                return
            except TimeoutError:
                self.clock = f"nothing was heard of it for {idle_seconds:.0f} seconds"
                raise
            if getattr(message, "subtype", "") != "api_retry":
                deadline = asyncio.get_running_loop().time() + idle_seconds
            yield message

    async def end(self, facts: Facts, task: AgentTask) -> None:
        """Interrupt what still runs, so that the CLI says how far it came; then end every process."""
        if self.started and not self.finished and not facts.has_result:
            with suppress(Exception):
                async with asyncio.timeout(_INTERRUPT_SECONDS):
                    await self.client.interrupt()
                    async for message in self.client.receive_response():
                        facts.take(message, task)
        closing = asyncio.create_task(self._close())
        if self.finished or facts.has_result:
            await asyncio.wait([closing], timeout=1.0)
        while (
            not closing.done()
        ):  # again and again: a launcher that is only just starting has no process id yet
            await self.launch.end()
            await asyncio.wait([closing], timeout=0.05)
        await self.launch.end()

    async def _close(self) -> None:
        if self.connecting is not None:
            self.connecting.cancel()
            await asyncio.gather(self.connecting, return_exceptions=True)
        with suppress(Exception):
            await self.client.disconnect()


def _options(task: AgentTask, folder: Path, launch: process.Launch, facts: Facts) -> ClaudeAgentOptions:
    """Every option that safety hangs on, in one place; no caller can override them."""
    from claude_agent_sdk import ClaudeAgentOptions, HookMatcher  # noqa: PLC0415

    tools = frozenset(task.tools) | ({_TOOL_OF_RESULTS} if task.schema else frozenset())

    async def check(call: Any, _id: str | None, _context: Any) -> Any:
        why = refusal(call["tool_name"], call["tool_input"], tools, folder)
        if why is None:
            return {}
        facts.record.deny(call["tool_name"], why)
        decision = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": why,
        }
        return {"hookSpecificOutput": decision}

    return ClaudeAgentOptions(
        cwd=folder,
        cli_path=launch.executable,
        model=task.model,
        effort=task.effort,  # type: ignore[arg-type]  # checked by the configuration
        session_id=str(uuid4()),
        system_prompt=task.system,
        setting_sources=[],  # None, the default, runs the hooks of a stranger's repository
        strict_mcp_config=True,
        verbatim_prompts=True,  # else `@/path` in a pull request's text reads that file
        tools=list(task.tools),
        allowed_tools=[f"{tool}(./**)" for tool in task.tools],
        disallowed_tools=["WebFetch", "WebSearch", "Agent", "SendMessage"],
        permission_mode="dontAsk",
        hooks={"PreToolUse": [HookMatcher(hooks=[check], timeout=10, on_failure="block")]},
        output_format={"type": "json_schema", "schema": dict(task.schema)} if task.schema else None,
        max_turns=task.turns,
        include_partial_messages=True,
        max_buffer_size=64 * 2**20,
        extra_args={"restricted": None, "no-session-persistence": None, "disable-slash-commands": None},
        stderr=facts.stderr.append,
    )
