"""A process with a pool of its own, which tests kill.

What its agents do is in their prompts; every run is noted in a log that all processes of a test write to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from claude_pool_gh.pool.model.config import PoolConfig
from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask, Ending
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.recipes.workflows import ChainStep
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.storage import Database, Transaction
from tests.forked import Forked, Program
from tests.pool.kit import Spender
from tests.pool.puppet import said

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Log:
    """Lines `what run_id pid`, in the order in which they happened, of all processes."""

    path: Path

    def note(self, what: str, run_id: str) -> None:
        line = f"{what} {run_id} {os.getpid()}\n".encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line)  # one write: lines of two processes never mix
        finally:
            os.close(file)

    def lines(self) -> list[tuple[str, str, int]]:
        """What happened so far."""
        text = self.path.read_text() if self.path.exists() else ""
        return [
            (what, run_id, int(pid))
            for what, run_id, pid in (line.split() for line in text.splitlines())
        ]

    def starts(self, *, pid: int | None = None) -> list[str]:
        """The runs that began, of all processes or of one."""
        return [
            run_id for what, run_id, by in self.lines() if what == "start" and pid in (None, by)
        ]

    def most_at_once(self, pid: int | None = None) -> int:
        """Most runs beside each other, in all processes or in one."""
        running, most = 0, 0
        for what, _, by in self.lines():
            if pid in (None, by):
                running += {"start": 1, "end": -1}.get(what, 0)
                most = max(most, running)
        return most


@dataclass
class Noting(Spender):
    """Notes each run, and does what the first word of its prompt says."""

    log: Log = field(default_factory=lambda: Log(Path(os.devnull)))
    hangs: bool = False
    """Whether `hang` means that; where it does not, it is said like anything else."""

    def __post_init__(self) -> None:
        self.act = self.do

    async def do(self, task: AgentTask, _folder: Path, line: AgentChannel) -> AgentOutcome:
        self.log.note("start", task.run_id)
        line.say("so far")
        word, *rest = task.prompt.split()
        if word == "list":
            outcome = said(structured={"parts": rest})
        elif word == "hang" and self.hangs:
            await self.ask(task, 1_000, 300)
            await self.ask(task, 5_000)
            self.log.note("hangs", task.run_id)
            await line.stop.wait()
            outcome = AgentOutcome(ending=Ending.cancelled, text=line.partial)
        elif word == "held":
            go = self.log.path.with_name(rest[0])
            while not go.exists() and not line.stop.is_set():
                await asyncio.sleep(0.005)
            outcome = said(f"<{task.prompt}>")
            if line.stop.is_set():
                outcome = AgentOutcome(ending=Ending.cancelled, text=line.partial)
        elif word == "keep":
            outcome = said(f"<{task.prompt}>", session_id=rest[0])
        elif word == "work":
            await self.ask(task, 1_000, 300)
            await asyncio.sleep(0.3)
            outcome = said(f"<{task.prompt}>")
        elif word == "pay":
            if await self.ask(task, 500_000, 400_000):
                outcome = said(f"<{task.prompt}>")
            else:
                outcome = AgentOutcome(
                    ending=Ending.out_of_budget, reason="the cap per pool and month"
                )
        else:
            await asyncio.sleep(0.01)
            outcome = said(f"<{task.prompt}>")
        self.log.note("end", task.run_id)
        return outcome


class Doomed(Database):
    """Kills its process at its n-th transaction: `before:3` as it would commit, `after:3` when it has."""

    def doom(self, point: str) -> None:
        when, _, number = point.partition(":")
        self.when, self.at, self.count = when, int(number), 0

    async def transact(self, work: Callable[[Transaction], T], *, forever: bool = False) -> T:
        self.count += 1
        mine = self.count == self.at

        def dying(tx: Transaction) -> T:
            result = work(tx)
            if mine and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        result = await super().transact(dying, forever=forever)
        if mine and self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def start(log: Path, *, doom: str = "", **spec: Any) -> Forked:
    """Start a worker; see `main` for what it may be told."""
    given = json.dumps(spec | {"log": str(log)}, default=str)
    told = log.with_suffix(".err")
    return Program(run, (given,), os.environ | {"DOOM": doom}, told, folder=ROOT).start()


def kill(process: Forked) -> None:
    """Kill -9, and let the system forget it."""
    process.kill()
    process.join()


def run(arguments: Sequence[str]) -> None:
    """What the process does."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(json.loads(arguments[0])))


async def main(spec: dict[str, Any]) -> None:
    """Open the pool, submit what is given, and wait: for the end of that or, told to serve, for ever."""
    log, store = Log(Path(spec["log"])), spec.get("store")
    # as seen from other processes, on another machine: only its beats can be known
    if host := spec.get("host"):
        socket.gethostname = lambda: str(host)
    database = Doomed.open(store or f"sqlite:///{spec['state']}/pool.sqlite")
    assert isinstance(database, Doomed)
    database.doom(os.environ["DOOM"] or "never:0")
    config = PoolConfig.model_validate(spec.get("config", {}))
    options = ChainOptions.model_validate(spec.get("options", {}))
    chains = [
        [ChainStep.model_validate(step) for step in steps] for steps in spec.get("chains", [])
    ]
    agent, slots = Noting(log=log, hangs=True), spec.get("slots", 2)
    async with Pool.open(
        agent, slots=slots, config=config, state=spec["state"], store=database
    ) as pool:
        made = await pool.fan_out_chains(chains, options=options) if chains else []
        lone = [await pool.submit(prompt) for prompt in spec.get("tasks", [])]
        for each in (*made, *lone):
            log.note("submitted", each)
        log.note("open", pool._core.worker.replace(" ", "_"))
        if spec.get("serve"):
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            await stop.wait()
            log.note(f"left-{await pool.hand_over(spec['stop'])}", "-")
            return
        for chain_id in made:
            await pool.wait_chain(chain_id)
        for task_id in lone:
            await pool.wait(task_id)
