"""An agent whose runs a test scripts, and a pool with it: real rows, real engine, no model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from claude_pool_gh.pool.model.ports import Agent, AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.pool import Pool

Act = Callable[[AgentTask, Path, AgentChannel], Awaitable[AgentOutcome]]


def said(text: str = "done", **more: Any) -> AgentOutcome:
    """A run that completed."""
    usual: dict[str, Any] = {"ending": Ending.completed, "text": text, "turns": 1, "elapsed_ms": 1}
    return AgentOutcome(**(usual | more))


def failed(reason: str = "it broke", *, retryable: bool = False, **more: Any) -> AgentOutcome:
    """A run that did not."""
    usual: dict[str, Any] = {"ending": Ending.failed, "reason": reason, "retryable": retryable}
    return AgentOutcome(**(usual | more))


async def echo(task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
    """Answers with what it was asked."""
    return said(f"<{task.prompt}>")


@dataclass
class Puppet(Agent):
    """Does what `act` does, and remembers every run."""

    act: Act = echo
    seen: list[AgentTask] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the first run begins; a test may clear it to wait for the next one."""

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        self.seen.append(replace(task))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.arrived.set()
        try:
            return await self.act(task, folder, line)
        finally:
            self.running -= 1

    @property
    def prompts(self) -> list[str]:
        return [task.prompt for task in self.seen]


@dataclass
class Gate:
    """An agent's act that waits until the test lets it go on, or its run is stopped."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, task: AgentTask, _folder: Path, line: AgentChannel) -> AgentOutcome:
        line.say(f"working on {task.prompt}")
        waits = [asyncio.create_task(self.opened.wait()), asyncio.create_task(line.stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if line.stop.is_set():
            return AgentOutcome(ending=Ending.cancelled, text=line.partial)
        return said(f"<{task.prompt}>")


class OpenPool:
    """Opens pools on one store, one after another, as a program that is started again would."""

    def __init__(self, store: str | None, state: Path) -> None:
        self.store, self.state = store, state

    def __call__(self, agent: Agent, **more: Any) -> AbstractAsyncContextManager[Pool]:
        return Pool.open(agent, state=self.state, store=self.store, **more)
