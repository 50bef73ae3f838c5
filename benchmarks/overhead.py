"""(a) A task through engine, gateway, slot and warm mirror, against the bare CLI with the same prompt."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from benchmarks.model import model_process
from claude_pool_gh.agent import process
from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.agent.gateway import Gateway
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.findings.model import output_schemas
from claude_pool_gh.pool import chains
from claude_pool_gh.pool.engine import Engine
from claude_pool_gh.pool.ledger import Account, Caps
from claude_pool_gh.pool.plan import AgentRun, Limits, Plan
from claude_pool_gh.pool.ports import HostStep
from claude_pool_gh.pool.runner import Runner
from claude_pool_gh.pool.slots import Slots
from claude_pool_gh.pool.states import ChainState
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.service.clock import SystemClock
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.worktrees.git import Login
from claude_pool_gh.worktrees.leases import Worktrees

ROUNDS = 15
MODEL = "claude-sonnet-5-5"
SYSTEM, PROMPT = "You review code.", "Report what is wrong."
SCHEMA = output_schemas()["findings"]
CAPS = Caps(task=10**6, chain=10**6, thread=10**12, user_day=10**12, repository_month=10**12)


async def measure() -> list[Figure]:
    """Alternate both, so that whatever else the machine does falls on both."""
    bare: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        async with model_process() as url, SimulatedGitHub.start(here / "github") as github:
            pool = await _Pool.open(here, url, github)
            await pool.run("warm-up")
            await _clone(here)
            for number in range(ROUNDS):
                bare.append(await _timed(partial(_bare, here, url)))
                ours.append(await _timed(partial(pool.run, f"chain-{number}")))
            await pool.close()
    wall = median([b for b, _ in ours]) - median([b for b, _ in bare])
    cpu = median([c for _, c in ours]) / median([c for _, c in bare])
    return [
        Figure("bare CLI, wall", 1000 * median([w for w, _ in bare]), "ms"),
        Figure("through the pool, added wall", 1000 * wall, "ms", 150),
        Figure("bare CLI, CPU", 1000 * median([c for _, c in bare]), "ms"),
        Figure("through the pool, added CPU", 100 * (cpu - 1), "%", 25),
    ]


async def _timed(work: Any) -> tuple[float, float]:
    """Wall and CPU seconds, of this process and of the children that ended."""
    wall, cpu = time.perf_counter(), _cpu()
    await work()
    await asyncio.sleep(0)
    return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def _clone(here: Path) -> None:
    (mirror,) = (here / "state" / "mirrors").glob("*.git")
    (here / "home").mkdir()
    git = await asyncio.create_subprocess_exec("git", "init", "--quiet", str(here / "bare"))
    await git.wait()
    fetch = ["git", "-C", str(here / "bare"), "pull", "--quiet", str(mirror), "refs/pool/fetched/heads/main"]
    assert await (await asyncio.create_subprocess_exec(*fetch)).wait() == 0


async def _bare(here: Path, url: str) -> None:
    """What a script would do: the same CLI, prompt, tools and schema, in a clone that is there already."""
    folder = here / "bare"
    command = [
        str(process.bundled_cli()), "-p", "--output-format", "json", "--model", MODEL, "--restricted",
        "--tools", "Read,Grep,Glob", "--system-prompt", SYSTEM, "--setting-sources", "", "--strict-mcp-config",
        "--no-session-persistence", "--permission-mode", "dontAsk", "--json-schema", json.dumps(SCHEMA), PROMPT,
    ]  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(here / "home"), "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "x", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }  # fmt: skip
    run = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await run.communicate()
    assert json.loads(out)["structured_output"] == {"findings": []}, out[-300:]


class _Pool:
    """Engine, gateway, slots and worktrees, wired without GitHub's side."""

    def __init__(self, database: Database, engine: Engine, gateway: Gateway, plan: Plan) -> None:
        self._database, self._engine, self._gateway, self._plan = database, engine, gateway, plan
        self._ended: dict[str, asyncio.Event] = {}

    @classmethod
    async def open(cls, here: Path, url: str, github: SimulatedGitHub) -> _Pool:
        database, clock = Database.open(f"sqlite:///{here}/pool.sqlite"), SystemClock()
        migrations.upgrade(database.engine)
        gateway = Gateway(Meter(database, clock), url, "real-key")
        await gateway.start()
        repository = github.create_repository("octo/shop", files=stage.base_files())
        app = github.create_app("pool", webhook_secret="x" * 40)
        installation = github.install(app, "octo", [repository])
        token = github.create_installation_token(installation)

        async def login(_id: int) -> Login:
            return Login(token, repository.clone_url)

        step = AgentRun(
            name="find",
            system=SYSTEM,
            prompt=PROMPT,
            tools=("Read", "Grep", "Glob"),
            model=MODEL,
            output=SCHEMA,
        )
        plan = Plan(
            verb="bench",
            steps=(step,),
            limits=Limits(task=10**6, chain=10**6, wall_seconds=60, idle_seconds=30),
            workspace={"repository_id": 1, "commit": repository.head("main"), "refs": ["refs/heads/main"]},
        )
        ended: dict[str, asyncio.Event] = {}
        hosts: dict[str, HostStep] = {}
        runner = Runner(
            database=database, agent=ClaudeAgent(gateway, str), workspaces=Worktrees(here / "state", login),
            slots=Slots(2), host_steps=hosts, observer=_Nobody(), clock=clock,
        )  # fmt: skip

        async def advance(chain_id: str) -> bool:
            more = await runner.advance(chain_id)
            if not more:
                ended[chain_id].set()
            return more

        engine = Engine(f"sqlite:///{here}/engine.sqlite", database, advance, room=4)
        await engine.launch()
        made = cls(database, engine, gateway, plan)
        made._ended = ended
        return made

    async def run(self, chain_id: str) -> None:
        """One chain of one task, from the decision to its end."""
        self._ended[chain_id] = asyncio.Event()
        account = Account(thread=chain_id, user="u", repository="r")
        now = SystemClock().now_ms()
        await self._database.transact(lambda tx: chains.create(tx, chain_id, self._plan, account, CAPS, now))
        await self._engine.submit(chain_id)
        await self._ended[chain_id].wait()
        chain = await self._database.read(lambda tx: chains.get(tx, chain_id))
        assert chain.state is ChainState.done
        assert chain.steps[0].result[0]["ending"] == "completed", chain.steps[0].result

    async def close(self) -> None:
        await self._engine.close()
        await self._gateway.close()
        self._database.close()


class _Nobody:
    """An observer that wants to know nothing."""

    def changed(self, tx: Transaction, chain_id: str) -> None:
        """Nothing is noted."""
