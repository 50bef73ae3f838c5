"""An audit beside what a script would do: its plan, its parts on slots, what each part waits for, and many of them."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, median
from benchmarks.model import model_process
from benchmarks.overhead import CAPS
from benchmarks.throughput import MODEL, PROMPT, SLOW, bare_cli, folder_of_work
from claude_pool_gh.agent.claude import ClaudeAgent
from claude_pool_gh.audits.estimate import rates
from claude_pool_gh.audits.files import Wanted, list_files, sift
from claude_pool_gh.audits.model import Cut
from claude_pool_gh.audits.plan import PlanFacts, in_order, make_plan
from claude_pool_gh.audits.risk import Signals
from claude_pool_gh.audits.shards import Grouping, group_of
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.pool.model.config import PoolConfig, TaskOverrides
from claude_pool_gh.pool.model.ids import ChainId
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, OnFailure, Plan
from claude_pool_gh.pool.model.ports import (
    Agent,
    AgentOutcome,
    Done,
    Ending,
    HostStepContext,
)
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run.folders import SharedFolder
from claude_pool_gh.pool.store import chains, ledger, places
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.worktrees.checkouts.checkouts import Checkouts

FILES: Final = 100_000
SHARDS: Final = 200
SLOTS: Final = 4
LENGTHS: Final = (10, 100, 1_000, 10_000)
ROUNDS: Final = 5
TURNS: Final = 4
_LIMITS: Final = Limits(task=10**6, chain=10**9, wall_seconds=600, idle_seconds=60)
_CAPS: Final = replace(CAPS, chain=10**9)
_MOST_FIRST: Final = 64 * 2**20
"""Bytes up to which the bot looks at all files before it cuts them, see `conversation.audit.brief`."""


async def measure(
    files: int = FILES, shards: int = SHARDS, lengths: tuple[int, ...] = LENGTHS
) -> list[Figure]:
    """All parts. Smaller numbers only show that it works."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        figures += await _planned("the standard library", await _library(here / "library"))
        generated = await _generated(here / "generated", files)
        figures += await _planned(f"{files:,} generated files", generated, seconds=10, memory=300)
        figures += await _set_up(here, generated)
    figures += await _on_slots(shards)
    figures += await _no_ops(lengths)
    return figures


# ---- the plan


async def _planned(
    what: str, git_dir: Path, seconds: float | None = None, memory: float | None = None
) -> list[Figure]:
    """Time and memory of a plan, in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.audits", str(git_dir), await _head(git_dir)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    said = json.loads(out)
    return [
        Figure(f"plan of {what}: files read", said["files"], ""),
        Figure(f"plan of {what}: parts", said["shards"], ""),
        Figure(f"plan of {what}", said["seconds"], "s", seconds),
        Figure(f"plan of {what}: memory of its process", said["memory"], "MB", memory),
    ]


async def _plan(git_dir: Path, commit: str) -> dict[str, float]:
    began = time.perf_counter()
    listing = await list_files(git_dir, commit, Wanted())
    files, skipped = list(listing.files), list(listing.skipped)
    if listing.size <= _MOST_FIRST:
        files, more = await sift(git_dir, files, listing.claimed)
        skipped += more
    facts = PlanFacts(
        audit="defects",
        repository="octo/shop",
        commit=commit,
        branch="main",
        by=Cut.size,
        group_of=group_of(Cut.size, Grouping()),
        signals=Signals(changed=frozenset(), commits={}, found={}, is_owned=None),
        rates=rates([]),
        budget=10**12,
        slots=SLOTS,
    )
    plan = make_plan(in_order(files, facts), skipped, facts)
    return {
        "files": len(files),
        "shards": len(plan.shards) + len(plan.beyond),
        "seconds": time.perf_counter() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _library(folder: Path) -> Path:
    """The source of the Python that runs this, as a repository."""
    source = Path(sysconfig.get_paths()["stdlib"])
    left_out = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__", "*.so")
    await asyncio.to_thread(shutil.copytree, source, folder, ignore=left_out)
    await _git("init", "--quiet", str(folder))
    await _git("-C", str(folder), "add", "--all", "--force")
    who = ("-c", "user.name=b", "-c", "user.email=b@b", "-c", "maintenance.auto=false")
    await _git("-C", str(folder), *who, "commit", "--quiet", "-m", "All")
    return folder / ".git"


async def _generated(folder: Path, files: int) -> Path:
    """A repository of so many small files, each another one, in 400 folders."""
    await _git("init", "--quiet", "--bare", str(folder))
    import_ = await asyncio.create_subprocess_exec(
        *("git", "-C", str(folder), "fast-import", "--quiet"),
        stdin=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    assert import_.stdin is not None
    import_.stdin.write(b"commit refs/heads/main\ncommitter b <b@b> 0 +0000\ndata 3\nAll\n")
    for number in range(files):
        lines = (f"def act_{number}_{line}(x):\n    return x + {line}\n" for line in range(12))
        text = "".join(lines).encode()
        name = f"pkg{number % 20}/mod{number % 400}/file_{number}.py"
        import_.stdin.write(f"M 100644 inline {name}\ndata {len(text)}\n".encode() + text + b"\n")
        if number % 1_000 == 0:
            await import_.stdin.drain()
    import_.stdin.close()
    assert await import_.wait() == 0
    return folder


# ---- what a part waits for before its agent begins


async def _set_up(here: Path, mirror: Path) -> list[Figure]:
    """A further part's files, beside the clone that each job of a matrix makes."""
    commit = await _head(mirror)
    checkouts = Checkouts(here / "checkouts", mirror)
    leases, cycles, clones = [], [], []
    async with checkouts.reading(commit):
        for number in range(ROUNDS):
            began = time.perf_counter()
            async with checkouts.reading(commit):
                leases.append(time.perf_counter() - began)
            cycles.append(time.perf_counter() - began)
            began = time.perf_counter()
            to = here / f"clone-{number}"
            await _git("clone", "--quiet", "--no-local", "--branch", "main", str(mirror), str(to))
            clones.append(time.perf_counter() - began)
            await asyncio.to_thread(shutil.rmtree, to)
    ratio = median(clones) / max(median(leases), 1e-6)
    return [
        Figure("a fresh clone for a part, as a matrix of jobs makes it", median(clones), "s"),
        Figure("the files of a further part", 1000 * median(leases), "ms"),
        Figure(
            "the same with the proof, at its end, that nobody changed them", median(cycles), "s"
        ),
        Figure("a fresh clone beside the set-up", ratio, "times", 20, least=True),
    ]


# ---- parts on slots


async def _on_slots(shards: int) -> list[Figure]:
    """A chain with so many parts, beside `xargs` over the bare CLI: in turns, since the machine's speed drifts."""
    turns = TURNS if shards >= TURNS * SLOTS else 1
    ours = bare = 0.0
    async with model_process(SLOW, plain=True) as url:
        with tempfile.TemporaryDirectory() as name:
            here = Path(name)
            agent = ClaudeAgent(key="x", base_url=url, redact=str, live=False)
            async with _opened(agent, here, folder_of_work(here)) as (pool, database):
                await _chain(pool, database, "warm", SLOTS)
                for turn in range(turns):
                    began = time.perf_counter()
                    await _chain(pool, database, f"parts-{turn}", shards // turns)
                    ours += time.perf_counter() - began
                    bare += await bare_cli(here, url, SLOTS, shards // turns)
    head = f"{shards} parts on {SLOTS} slots, {SLOW:g} s a turn"
    return [
        Figure(f"{head}: xargs -P {SLOTS}", shards / bare * 60, "parts a minute"),
        Figure(f"{head}: an audit's chain beside it", bare / ours, "times", 0.95, least=True),
    ]


async def _no_ops(lengths: tuple[int, ...]) -> list[Figure]:
    """Milliseconds for each part whose agent does nothing, in chains of more and more of them."""
    took: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        async with _opened(_Nothing(), here, folder_of_work(here)) as (pool, database):
            await _chain(pool, database, "warm", SLOTS)
            for number in lengths:
                began = time.perf_counter()
                await _chain(pool, database, f"no-op-{number}", number)
                took[number] = (time.perf_counter() - began) / number
    first = took[lengths[0]]
    return [
        Figure(f"a part that does nothing, {number:,} of them", 1000 * seconds, "ms")
        for number, seconds in took.items()
    ] + [
        Figure(
            f"a part of {lengths[-1]:,} beside one of {lengths[0]}",
            took[lengths[-1]] / first,
            "times",
            1.3,
        )
    ]


class _Nothing(Agent):
    """Says at once that it is done."""

    async def run(self, *_told: object) -> AgentOutcome:
        return AgentOutcome(ending=Ending.completed, text="done")


@asynccontextmanager
async def _opened(agent: Agent, here: Path, work: Path) -> AsyncIterator[tuple[Pool, Database]]:
    """A pool on a file, with the step that cuts."""
    database = Database.open(f"sqlite:///{here}/pool.sqlite")
    try:
        migrations.upgrade(database.engine)
        async with Pool.open(
            agent,
            workspaces=SharedFolder(work),
            slots=SLOTS,
            config=PoolConfig(unattended_mode=True),
            state=here / "state",
            store=database,
            host_steps={"cut": _cut},
        ) as pool:
            yield pool, database
    finally:
        database.close()


async def _cut(context: HostStepContext) -> Done:
    """As many parts as the plan says."""
    number = int(context.plan.context["parts"])
    return Done({"shards": [{"title": f"part {each}"} for each in range(number)]})


async def _chain(pool: Pool, database: Database, name: str, parts: int) -> None:
    """A chain of the form of an audit's, to its end."""
    find = AgentRun(
        name="find",
        prompt=PROMPT,
        each="cut.shards",
        title="{item.title}",
        at_once=SLOTS,
        on_failure=OnFailure.fail,
        overrides=TaskOverrides(tools=("Read", "Grep", "Glob"), model=MODEL),
    )
    plan = Plan(
        verb="bench",
        steps=(HostCall(name="cut", call="cut"), find),
        limits=_LIMITS,
        context={"parts": parts},
    )
    account = {"thread": name, "user": "u", "repository": "r"}
    now = SystemClock().now_ms()
    queue = places.queue_of(chains.MAIN, pool._core.workspaces.folder)  # noqa: SLF001 - no part of the facade
    new = chains.NewChain(id=name, pool=queue, plan=plan, account=account, caps=_CAPS)

    def create(tx: Transaction) -> None:
        assert chains.add(tx, new, now)
        ledger.reserve_chain(tx, name, account, _CAPS, now)

    await database.transact(create)
    pool.wake()
    result = await pool.wait_chain(ChainId(name))
    assert result is not None
    assert result.success, result


# ---- git


async def _head(git_dir: Path) -> str:
    git = await asyncio.create_subprocess_exec(
        *("git", "-C", str(git_dir), "for-each-ref", "--format=%(objectname)", "refs/heads"),
        stdout=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    return (await git.communicate())[0].decode().split()[0]


async def _git(*arguments: str) -> None:
    git = await asyncio.create_subprocess_exec("git", *arguments, env=_environment())
    assert await git.wait() == 0


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def _said(git_dir: str, commit: str) -> Any:
    return asyncio.run(_plan(Path(git_dir), commit))


if __name__ == "__main__":
    print(json.dumps(_said(*sys.argv[1:])))
