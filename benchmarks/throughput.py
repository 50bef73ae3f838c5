"""N slots working off one-turn tasks, against `xargs -P N` over the bare CLI on the same scripted model."""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
import time
from pathlib import Path
from typing import Self

import psutil

from benchmarks.figures import Figure, median
from benchmarks.model import model_process
from claude_pool_gh import ClaudeAgent, Pool, PoolConfig, TaskOverrides
from claude_pool_gh.agent import process

MODEL = "claude-sonnet-5-5"
PROMPT = "What is this?"
ROUNDS = 3
SLOW = 2.0
"""Seconds that the slow model takes for its turn."""


async def measure() -> list[Figure]:
    """With a model that takes its time, and with one that takes none, where the CLI's own CPU is all there is."""
    figures: list[Figure] = []
    async with model_process(SLOW, plain=True) as url:
        for slots in (1, 2, 4, 8):
            figures += await _beside(url, slots, tasks=max(4, 3 * slots), pace=f"{SLOW:g} s a turn")
    async with model_process(plain=True) as url:
        for slots in (1, 2, 4, 8):
            figures += await _beside(url, slots, tasks=12, pace="instant")
    return figures


async def _beside(url: str, slots: int, *, tasks: int, pace: str) -> list[Figure]:
    """Rounds of both in turn, so that whatever else the machine does falls on both."""
    bare: list[float] = []
    pool: list[float] = []
    memory: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        config = PoolConfig(unattended_mode=True)
        run = TaskOverrides(tools=("Read", "Grep", "Glob"), model=MODEL)
        async with Pool.open(
            ClaudeAgent(key="x", base_url=url),
            folder=folder_of_work(here),
            slots=slots,
            state=here / "state",
            config=config,
        ) as opened:
            await opened.fan_out([PROMPT] * slots, config=run)  # both have warm caches
            for _ in range(ROUNDS):
                bare.append(await bare_cli(here, url, slots, tasks))
                async with _Memory() as gained:
                    began = time.perf_counter()
                    results = await opened.fan_out([PROMPT] * tasks, config=run)
                    pool.append(time.perf_counter() - began)
                memory.append(gained.peak)
                assert all(result.success for result in results), results
    slow = pace != "instant"
    least, goal = 0.95 if slow and slots <= 4 else None, 0.97 if slow else None
    ratio = median(bare) / median(pool)
    head = f"{pace}, {slots} slots"
    return [
        Figure(f"{head}: xargs", tasks / median(bare) * 60, "tasks a minute"),
        Figure(f"{head}: pool beside it", ratio, "times", least, least=True, goal=goal),
        Figure(
            f"{head}: memory of the pool's own process for each slot", median(memory) / slots, "MB"
        ),
    ]


class _Memory:
    """What this process gains while tasks run, without the CLIs: sampled until the block ends."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._own = psutil.Process()

    async def __aenter__(self) -> Self:
        self._sampling = asyncio.create_task(self._sample(self._own.memory_info().rss))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sampling.cancel()

    async def _sample(self, before: int) -> None:
        while True:
            self.peak = max(self.peak, (self._own.memory_info().rss - before) / 2**20)
            await asyncio.sleep(0.1)


def folder_of_work(here: Path) -> Path:
    """A folder for an agent to be in."""
    folder = here / "work"
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text("A shop.\n")
    return folder


async def bare_cli(here: Path, url: str, slots: int, tasks: int) -> float:
    """What a script would do. The same tools and prompt, each run with a configuration folder of its own."""
    (here / "home").mkdir(exist_ok=True)
    command = [
        str(process.bundled_cli()),
        "-p",
        "--output-format",
        "json",
        "--model",
        MODEL,
        "--tools",
        "Read,Grep,Glob",
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--no-session-persistence",
        "--permission-mode",
        "dontAsk",
        PROMPT,
    ]
    one = f"CLAUDE_CONFIG_DIR=$(mktemp -d) {shlex.join(command)} >/dev/null </dev/null"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(here / "home"),
        "TMPDIR": str(here),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "x",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    began = time.perf_counter()
    xargs = await asyncio.create_subprocess_exec(
        "xargs",
        "-P",
        str(slots),
        "-I",
        "@",
        "sh",
        "-c",
        one,
        stdin=asyncio.subprocess.PIPE,
        env=environment,
        cwd=folder_of_work(here),
    )
    await xargs.communicate("".join(f"{number}\n" for number in range(tasks)).encode())
    assert xargs.returncode == 0
    return time.perf_counter() - began
