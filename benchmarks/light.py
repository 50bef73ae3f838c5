"""What the engine itself costs: to import and open it, for a task that does nothing, and beside plain asyncio.

Every figure is taken in processes of their own, in turns with what stands beside it, so that whatever else the machine
does falls on both. CPU is that of the process, user and system.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Figure, median

TASKS: Final = 400
ROUNDS: Final = 5
LENGTHS: Final = (0.0, 0.05, 0.5)
SLOTS: Final = (1, 2, 4, 8)
_IMPORT: Final = "import asyncio, resource\n"
_SAY: Final = "u = resource.getrusage(resource.RUSAGE_SELF)\nprint(u.ru_utime + u.ru_stime)"
_OPEN: Final = """
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.model.ports import Agent
class Nothing(Agent):
    async def run(self, task, folder, line): ...
async def main():
    async with Pool.open(Nothing()):
        pass
asyncio.run(main())
"""
_IMPORT_ALL: Final = "from claude_pool_gh import ClaudeAgent, Pool\n"


async def measure() -> list[Figure]:
    """In turns: import and open, the task that does nothing, throughput, memory."""
    with _compiled():
        await _child("-c", _IMPORT + _IMPORT_ALL + _OPEN)
        return await _measured()


@contextmanager
def _compiled() -> Iterator[None]:
    """Lets Python keep the bytecode of what the children import, as an installed package has it."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


async def _measured() -> list[Figure]:
    bare, opened, whole = [], [], []
    durable, without = [], []
    for _ in range(ROUNDS):
        bare.append(float(await _child("-c", _IMPORT + _SAY)))
        opened.append(float(await _child("-c", _IMPORT + _OPEN + _SAY)))
        whole.append(float(await _child("-c", _IMPORT + _IMPORT_ALL + _OPEN + _SAY)))
        durable.append(await _task("durable"))
        without.append(await _task("without"))
    figures = [
        Figure("`import asyncio` alone, CPU", 1000 * median(bare), "ms"),
        Figure(
            "import and open a pool, CPU beyond that",
            1000 * (median(opened) - median(bare)),
            "ms",
            goal=500,
        ),
        Figure(
            "the same from claude_pool_gh, with ClaudeAgent",
            1000 * (median(whole) - median(bare)),
            "ms",
        ),
        Figure(
            "no-op task, durable, CPU", 1000 * median([cpu for cpu, _ in durable]), "ms", goal=7
        ),
        Figure("no-op task, durable, wall", 1000 * median([wall for _, wall in durable]), "ms"),
        Figure(
            "no-op task without a store, CPU",
            1000 * median([cpu for cpu, _ in without]),
            "ms",
            goal=1,
        ),
        Figure(
            "no-op task without a store, wall", 1000 * median([wall for _, wall in without]), "ms"
        ),
    ]
    for seconds in LENGTHS:
        for slots in SLOTS:
            ours, plain = await _beside(seconds, slots)
            name = f"tasks of {1000 * seconds:g} ms, {slots} slots"
            figures.append(Figure(f"{name}: asyncio with a semaphore", plain, "a second"))
            figures.append(Figure(f"{name}: through a pool without a store", ours / plain, "times"))
    figures.append(Figure("resident memory of an open pool that waits", await _memory(), "MB", 110))
    return figures


async def _child(*arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, arguments
    return said.decode()


async def _task(store: str) -> tuple[float, float]:
    """CPU and wall seconds of one task."""
    cpu, wall = json.loads(await _child("-m", "benchmarks.light", "task", store))
    return cpu, wall


async def _beside(seconds: float, slots: int) -> tuple[float, float]:
    count = TASKS if not seconds else max(slots, int(4 * slots / seconds / 10))
    told = (str(seconds), str(slots), str(count))
    ours = [float(await _child("-m", "benchmarks.light", "pool", *told)) for _ in range(2)]
    plain = [float(await _child("-m", "benchmarks.light", "plain", *told)) for _ in range(2)]
    return max(ours), max(plain)


async def _memory() -> float:
    return float(await _child("-m", "benchmarks.light", "memory"))


# ---- in the child


def _agent(seconds: float) -> Any:
    from claude_pool_gh.pool.model.ports import Agent, AgentOutcome, Ending  # noqa: PLC0415 - the plain side has none

    class Nothing(Agent):
        """Waits, and says that it is done."""

        async def run(self, *_told: object) -> AgentOutcome:
            await asyncio.sleep(seconds)
            return AgentOutcome(ending=Ending.completed, text="done")

    return Nothing()


async def _no_op(store: str) -> tuple[float, float]:
    from claude_pool_gh.pool.pool import Pool  # noqa: PLC0415

    with tempfile.TemporaryDirectory() if store == "durable" else nullcontext() as state:
        async with Pool.open(_agent(0), slots=4, state=state) as pool:
            await pool.fan_out(["warm"] * 20)
            cpu, wall = _cpu(), time.perf_counter()
            await pool.fan_out(["x"] * TASKS)
            return (_cpu() - cpu) / TASKS, (time.perf_counter() - wall) / TASKS


async def _through_a_pool(seconds: float, slots: int, count: int) -> float:
    from claude_pool_gh.pool.pool import Pool  # noqa: PLC0415

    async with Pool.open(_agent(seconds), slots=slots) as pool:
        await pool.fan_out(["warm"] * slots)
        began = time.perf_counter()
        await pool.fan_out(["x"] * count)
        return count / (time.perf_counter() - began)


async def _plainly(seconds: float, slots: int, count: int) -> float:
    room = asyncio.Semaphore(slots)

    async def one() -> str:
        async with room:
            await asyncio.sleep(seconds)
            return "done"

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - began)


async def _waiting() -> float:
    from claude_pool_gh import ClaudeAgent, Pool  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "work").mkdir()
        async with Pool.open(ClaudeAgent(key="x"), folder=Path(name) / "work", slots=4):
            await asyncio.sleep(0.5)
            pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _answer(what: str, *told: str) -> Any:
    match what:
        case "task":
            return asyncio.run(_no_op(told[0]))
        case "memory":
            return asyncio.run(_waiting())
        case side:
            run = _through_a_pool if side == "pool" else _plainly
            return asyncio.run(run(float(told[0]), int(told[1]), int(told[2])))


if __name__ == "__main__":
    print(json.dumps(_answer(*sys.argv[1:])))
