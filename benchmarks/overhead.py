"""(a) A task through engine, gateway, slot and warm mirror, against the bare CLI with the same prompt."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, median
from benchmarks.model import model_process
from claude_pool_gh.agent import process
from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.findings.model import output_schemas
from claude_pool_gh.pool.model.caps import Cap, Caps, Window
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import PoolConfig, SlotMode, TaskOverrides
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan, WorkspaceSpec
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.store import chains
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import SimulatedGitHub
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees

ROUNDS = 15
MODEL = "claude-sonnet-5-5"
SYSTEM, PROMPT = "You review code.", "Report what is wrong."
SCHEMA = output_schemas()["findings"]
CAPS = Caps(
    task=10**6,
    chain=10**6,
    wider=(
        Cap("thread", Window.ever, 10**12),
        Cap("user", Window.day, 10**12),
        Cap("repository", Window.month, 10**12),
    ),
)


async def measure() -> list[Figure]:
    """Alternate both, so that whatever else the machine does falls on both."""
    bare: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        async with (
            model_process() as url,
            SimulatedGitHub.start(here / "github") as github,
            _opened(here, url, github) as bot,
        ):
            await bot.run("warm-up")
            await _clone(here)
            for number in range(ROUNDS):
                bare.append(await _timed(partial(_bare, here, url)))
                ours.append(await _timed(partial(bot.run, f"chain-{number}")))
    wall = median([b for b, _ in ours]) - median([b for b, _ in bare])
    cpu = median([c for _, c in ours]) / median([c for _, c in bare])
    return [
        Figure("bare CLI, wall", 1000 * median([w for w, _ in bare]), "ms"),
        Figure("through the pool, added wall", 1000 * wall, "ms", 150, goal=50),
        Figure("bare CLI, CPU", 1000 * median([c for _, c in bare]), "ms"),
        Figure("through the pool, added CPU", 100 * (cpu - 1), "%", 25, goal=10),
    ]


async def _timed(work: Any) -> tuple[float, float]:
    """Wall and CPU seconds, of this process and of the children that ended."""
    wall, cpu = time.perf_counter(), _cpu()
    await work()
    await asyncio.sleep(0)
    return time.perf_counter() - wall, _cpu() - cpu


def _cpu() -> float:
    own, children = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def _clone(here: Path) -> None:
    (mirror,) = (here / "state" / "mirrors").glob("*.git")
    (here / "home").mkdir()
    git = await asyncio.create_subprocess_exec("git", "init", "--quiet", str(here / "bare"))
    await git.wait()
    fetch = [
        "git",
        "-C",
        str(here / "bare"),
        "pull",
        "--quiet",
        str(mirror),
        "refs/pool/fetched/heads/main",
    ]
    assert await (await asyncio.create_subprocess_exec(*fetch)).wait() == 0


async def _bare(here: Path, url: str) -> None:
    """What a script would do: the same CLI, prompt, tools and schema, in a clone that is there already."""
    folder = here / "bare"
    command = [
        str(process.bundled_cli()),
        "-p",
        "--output-format",
        "json",
        "--model",
        MODEL,
        "--restricted",
        "--tools",
        "Read,Grep,Glob",
        "--system-prompt",
        SYSTEM,
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--no-session-persistence",
        "--permission-mode",
        "dontAsk",
        "--json-schema",
        json.dumps(SCHEMA),
        PROMPT,
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(here / "home"),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "x",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    run = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await run.communicate()
    assert json.loads(out)["structured_output"] == {"findings": []}, out[-300:]


@asynccontextmanager
async def _opened(here: Path, url: str, github: SimulatedGitHub) -> AsyncIterator[_Bot]:
    """A pool on its host's own database, wired as the server's is, without GitHub's side."""
    repository = github.create_repository("octo/shop", files=stage.base_files())
    app = github.create_app("pool", webhook_secret="x" * 40)
    installation = github.install(app, "octo", [repository])
    token = github.create_installation_token(installation)

    async def login(_id: int, _fresh: bool) -> Credentials:
        return Credentials(token, repository.clone_url)

    step = AgentRun(
        name="find",
        system=SYSTEM,
        prompt=PROMPT,
        overrides=TaskOverrides(tools=("Read", "Grep", "Glob"), model=MODEL, json_schema=SCHEMA),
    )
    plan = Plan(
        verb="bench",
        steps=(step,),
        limits=Limits(task=10**6, chain=10**6, wall_seconds=60, idle_seconds=30),
        workspace=WorkspaceSpec(
            repository_id=1, commit=repository.head("main"), refs=("refs/heads/main",)
        ),
    )
    database = Database.open(f"sqlite:///{here}/pool.sqlite")
    try:
        migrations.upgrade(database.engine)
        async with Pool.open(
            ClaudeAgent(key="real-key", base_url=url, redact=str, live=False),
            slots=2,
            config=PoolConfig(unattended_mode=True, slot_mode=SlotMode.ephemeral),
            state=here / "state",
            store=database,
            workspaces=Worktrees(here / "state", login),
        ) as pool:
            yield _Bot(database, pool, plan)
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class _Bot:
    """What asks the pool for one chain after the other."""

    database: Database
    pool: Pool
    plan: Plan

    async def run(self, chain_id: str) -> None:
        """One chain of one task, from the decision to its end."""
        account = {"thread": chain_id, "user": "u", "repository": "r"}
        now = SystemClock().now_ms()
        await self.database.transact(
            lambda tx: chains.create(tx, chain_id, self.plan, account, CAPS, now)
        )
        self.pool.wake()
        result = await self.pool.wait_chain(ChainId(chain_id))
        assert result is not None
        assert result.success, result
