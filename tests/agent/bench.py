"""What a test of the agent needs: a scripted model, a gateway with a real ledger, and a run with its bill."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psutil
import sqlalchemy as sa

from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.pool.model.caps import Caps
from claude_pool_gh.pool.model.plan import Limits, Plan
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.store import chains, costs, ledger
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.rehearsal.model import Reply, Script, ScriptedModel, use
from claude_pool_gh.storage import Database

REAL_KEY: Final = "real-key-4711-canary"
MODEL: Final = "claude-sonnet-5-5"
ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
DOLLAR: Final = 1_000_000


class WallClock:
    def now_ms(self) -> int:
        return int(time.time() * 1000)


@dataclass(frozen=True)
class Run:
    """A finished run with what the ledger says of it."""

    outcome: AgentOutcome
    cost: int
    bound: bool
    granted: int
    seconds: float


@dataclass
class Bench:
    """Runs tasks with one agent against one scripted model."""

    database: Database
    model: ScriptedModel
    gateway: Gateway
    folder: Path
    chain: str = field(default_factory=lambda: f"c{uuid4().hex[:8]}")
    runs: int = 0

    async def open_chain(self) -> None:
        plan = Plan(
            verb="test",
            steps=(),
            limits=Limits(task=5 * DOLLAR, chain=100 * DOLLAR, wall_seconds=300, idle_seconds=20),
        )
        account = {"thread": self.chain}
        wide = 100 * DOLLAR
        caps = Caps(task=wide, chain=wide)
        now = WallClock().now_ms()
        await self.database.transact(
            lambda tx: chains.create(tx, self.chain, plan, account, caps, now)
        )

    async def grant(self, most: int) -> str:
        """Set money aside for one more run; gives the task's id."""
        self.runs += 1
        task = f"{self.chain}.find.{self.runs}"
        now = WallClock().now_ms()
        await self.database.transact(
            lambda tx: ledger.reserve_task(
                tx, f"{task}.1", self.chain, "find", most=most, least=1, now_ms=now
            )
        )
        return task

    async def settle(self, task: str) -> tuple[int, bool]:
        """Close a run's money as the pool does after it; gives its cost and whether that is an upper bound."""
        now = WallClock().now_ms()

        def close(tx: sa.Connection) -> tuple[int, bool]:
            ledger.settle(tx, f"{task}.1", now)
            return costs.cost_of(tx, f"{task}.1")

        return await self.database.transact(close)

    async def requests_in_ledger(self, task: str) -> list[sa.Row[Any]]:
        statement = sa.select(reservations).where(reservations.c.parent_id == f"{task}.1")
        return await self.database.read(lambda tx: list(tx.execute(statement).all()))

    async def run(
        self,
        script: Script | None = None,
        *,
        most: int = 300_000,
        agent: ClaudeAgent | None = None,
        line: AgentChannel | None = None,
        **task: Any,
    ) -> Run:
        """Run one task to its end and settle it."""
        if script is not None:
            self.model.script = script
        name, began = await self.grant(most), time.monotonic()
        outcome = await (agent or self.agent()).run(
            a_task(name, **task), self.folder, line or AgentChannel()
        )
        seconds = time.monotonic() - began
        cost, bound = await self.settle(name)
        return Run(outcome, cost, bound, most, seconds)

    def agent(self, **more: Any) -> ClaudeAgent:
        return ClaudeAgent(
            gateway=self.gateway, redact=lambda text: text.replace("red-canary", "***"), **more
        )

    @property
    def bodies(self) -> str:
        """Everything that the model was ever shown."""
        return "\n".join(str(dict(request.body)) for request in self.model.requests)


def a_task(name: str, **changes: Any) -> AgentTask:
    values: dict[str, Any] = {
        "id": name,
        "attempt": 1,
        "system": "You test.",
        "prompt": "Go",
        "tools": ("Read", "Grep", "Glob"),
        "model": MODEL,
        "effort": None,
        "turns": 40,
        "schema": ANSWER,
        "wall_seconds": 300.0,
        "idle_seconds": 30.0,
    }
    return AgentTask(**values | changes)


def done(answer: str = "42") -> Reply:
    return use("StructuredOutput", {"answer": answer})


def one_by_one(*replies: Reply | Callable[[], Reply]) -> Script:
    """A script that gives these in the order of the requests, and the last one for ever."""
    left = list(replies)

    def script(_request: object) -> Reply:
        reply = left.pop(0) if len(left) > 1 else left[0]
        return reply() if callable(reply) else reply

    return script


def calls(*wanted: tuple[str, Mapping[str, Any]]) -> Script:
    """A model that makes these calls of tools, one a turn, then answers."""
    return one_by_one(*(use(tool, arguments) for tool, arguments in wanted), done())


def alive(marker: str) -> list[psutil.Process]:
    """Processes that carry a marker in their command line, or in the environment where that can be read."""
    found = []
    for process in psutil.process_iter():
        try:
            if marker in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def zombies() -> list[psutil.Process]:
    """Children of this process that ended and were not waited for."""
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def gone_within(marker: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while alive(marker):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def killed_at_last(marker: str) -> Iterator[None]:
    """Whatever a test leaves behind ends with it, so that one red test spoils no other."""
    try:
        yield
    finally:
        for process in alive(marker):
            process.kill()
