"""A pool as a script has it, the real CLI in it, a scripted model behind it: one task, and all that was seen of it."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh import (
    ChainStep,
    ClaudeAgent,
    Pool,
    PoolConfig,
    SlotConfig,
    TaskOverrides,
    TaskResult,
)
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply, Script, ScriptedModel, Text
from tests.patience import PATIENCE

KEY: Final = "real-key-4711-canary"
SONNET: Final = "claude-sonnet-5-5"
HAIKU: Final = "claude-haiku-4-5"
STALL: Final = Answer((Text("half of it"), Text("never")), stall_after=1)
"""An answer that says something and then falls silent for ever."""


@dataclass(frozen=True)
class Run:
    """A task that has ended, and the requests that were made for it."""

    result: TaskResult
    requests: list[ModelRequest]
    ledger: list[sa.Row[Any]]

    @property
    def told(self) -> str:
        """What the model was told last: the prompt, or what a tool answered."""
        return self.requests[-1].last

    @property
    def models(self) -> set[str]:
        """Models that the ledger has requests for."""
        return {row.model for row in self.ledger}


@dataclass
class House:
    """Opens pools whose agents work in one folder."""

    model: ScriptedModel
    place: Path
    """A folder of the test's own."""

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "a.txt").write_text("hello\n")

    @property
    def folder(self) -> Path:
        return self.place / "tree"

    @property
    def file(self) -> str:
        """What the file that agents edit holds."""
        return (self.folder / "a.txt").read_text()

    def agent(self, **more: Any) -> ClaudeAgent:
        return ClaudeAgent(key=KEY, base_url=self.model.url, **more)

    def open(
        self, agent: ClaudeAgent | None = None, **more: Any
    ) -> AbstractAsyncContextManager[Pool]:
        return Pool.open(agent or self.agent(), folder=self.folder, **more)

    async def run(
        self,
        script: Script | None = None,
        *,
        pool: PoolConfig | None = None,
        slot: SlotConfig | None = None,
        agent: ClaudeAgent | None = None,
        **task: Any,
    ) -> Run:
        """Run one task in a pool of its own."""
        async with self.open(agent, config=pool, slots=[slot or SlotConfig()]) as opened:
            return await self.run_in(opened, script, **task)

    async def run_once(
        self,
        script: Script | None = None,
        *,
        pool: PoolConfig | None = None,
        agent: ClaudeAgent | None = None,
        **task: Any,
    ) -> Run:
        """Run one task in a pool of its own, and not again when it fails."""
        self.model.script, before = script or self.model.script, len(self.model.requests)
        step = ChainStep(name="only", prompt="Go", retries=0, config=TaskOverrides(**task))
        async with self.open(agent, config=pool) as opened:
            chain = await opened.submit_chain([step])
            await opened.wait_chain(chain)
            (record,) = [task for task in await opened.tasks() if task.chain_id == chain]
            assert record.result is not None
            return Run(record.result, self.model.requests[before:], await ledger_of(opened, chain))

    async def run_in(self, pool: Pool, script: Script | None = None, **task: Any) -> Run:
        """Run one task in an open pool."""
        self.model.script, before = script or self.model.script, len(self.model.requests)
        resume, prompt = task.pop("resume", None), task.pop("prompt", "Go")
        task_id = await pool.submit(prompt, config=TaskOverrides(**task), resume=resume)
        result = await pool.wait(task_id)
        return Run(result, self.model.requests[before:], await ledger_of(pool, task_id))


async def ledger_of(pool: Pool, chain_id: str) -> list[sa.Row[Any]]:
    """Every request to the model that was booked for a chain or lone task."""
    mine = sa.select(reservations).where(
        reservations.c.chain_id == chain_id, reservations.c.level == "request"
    )
    return await pool.database.read(lambda tx: list(tx.execute(mine).all()))


def in_turn(*replies: Reply | Callable[[ModelRequest], Reply]) -> Script:
    """A model that gives these one after another in each conversation, and the last one for ever."""

    def script(request: ModelRequest) -> Reply:
        reply = replies[min(request.turn, len(replies) - 1)]
        return reply(request) if callable(reply) else reply

    return script


async def until(
    true: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = PATIENCE
) -> None:
    """Wait for something that another task or process will bring about; how fast it does is no matter."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.02)


def git(folder: Path, *arguments: str) -> str:
    """Run git as the user would, without any configuration of this machine's."""
    own = {
        "user.name": "U",
        "user.email": "u@example.org",
        "init.defaultBranch": "main",
        "gc.auto": "0",
    }
    options = [part for name, value in own.items() for part in ("-c", f"{name}={value}")]
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    done = subprocess.run(
        ["git", *options, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def tree_of(folder: Path) -> dict[str, str]:
    """Every file below a folder with its content, git's own left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(folder)): path.read_text() for path in files}
