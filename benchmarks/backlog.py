"""What one task costs as the queue grows, with an agent that does nothing and with the real CLI; and the hand-over."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median, percentile
from benchmarks.model import model_process
from claude_pool_gh import (
    Agent,
    AgentChannel,
    AgentOutcome,
    AgentTask,
    ClaudeAgent,
    Ending,
    Pool,
    PoolConfig,
    TaskOverrides,
)
from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.run.slots import Slot, Slots

FEW, MANY = 10, 10_000
SLOTS = 4


class Nothing(Agent):
    """Does nothing for a while, and notes when each run began and ended."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.began: list[float] = []
        self.ended: list[float] = []

    async def run(self, _task: AgentTask, _folder: Path, _line: AgentChannel) -> AgentOutcome:
        """Do nothing."""
        self.began.append(time.perf_counter())
        await asyncio.sleep(self.seconds)
        self.ended.append(time.perf_counter())
        return AgentOutcome(ending=Ending.completed, text="done")


async def measure() -> list[Figure]:
    """Both queues, then the hand-over of a slot."""
    few, many = await _side_by_side()
    middle = await _no_op(1_000)
    cli_few, cli_many = await _cli(10, 200)
    hand_over, flooded = await _hand_over(0.1), await _hand_over(0.0)
    bare = await _wake_up()
    return [
        Figure(f"no-op task, {FEW} queued", 1000 * few, "ms"),
        Figure("no-op task, 1,000 queued", 1000 * middle, "ms"),
        Figure(f"no-op task, {MANY:,} queued", 1000 * many, "ms"),
        Figure(f"cost of a task, {MANY:,} queued beside {FEW}", many / few, "times", 1.3),
        Figure("task with the real CLI, 10 queued", 1000 * cli_few, "ms"),
        Figure(
            "cost of a task with the real CLI, 200 queued beside 10",
            cli_many / cli_few,
            "times",
            1.3,
        ),
        Figure(
            "hand-over of a freed slot with its rows, median",
            1000 * median(hand_over),
            "ms",
            20,
            goal=5,
        ),
        Figure(
            "hand-over of a freed slot with its rows, p95", 1000 * percentile(hand_over, 0.95), "ms"
        ),
        Figure(
            "the same where tasks end faster than they can be taken up",
            1000 * median(flooded),
            "ms",
        ),
        Figure("hand-over of a freed slot alone, median", 1_000_000 * median(bare), "us"),
    ]


async def _no_op(count: int) -> float:
    """Wall seconds for one of `count` tasks that were queued together, from the first row to the last result."""
    with tempfile.TemporaryDirectory() as state:
        async with Pool.open(Nothing(), slots=SLOTS, state=state) as pool:
            await pool.fan_out(["warm"] * SLOTS)
            began = time.perf_counter()
            results = await pool.fan_out(["x"] * count)
            assert all(result.success for result in results)
            return (time.perf_counter() - began) / count


class Halting(Nothing):
    """Does nothing, and after every so many tasks not even that, until it is told to go on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after, self.halted, self.going = after, asyncio.Event(), asyncio.Event()

    async def run(self, task: AgentTask, folder: Path, line: AgentChannel) -> AgentOutcome:
        """Do nothing, then perhaps halt; tasks that have begun meanwhile end when it goes on."""
        await self.going.wait()
        outcome = await super().run(task, folder, line)
        if len(self.ended) % self.after == 0:
            self.going.clear()
            self.halted.set()
        return outcome


async def _side_by_side() -> tuple[float, float]:
    """Wall seconds for one task of few and of many, in turns: the machine's own pace changes within minutes."""
    agent, few, spent = Halting(MANY // 20), list[float](), 0.0
    with tempfile.TemporaryDirectory() as state:
        async with Pool.open(agent, slots=SLOTS, state=state) as pool:
            many = asyncio.create_task(pool.fan_out(["x"] * MANY))
            for _ in range(20):
                agent.halted.clear()
                agent.going.set()
                began = time.perf_counter()
                await agent.halted.wait()
                spent += time.perf_counter() - began
                few.append(await _few())
            agent.going.set()
            assert all(result.success for result in await many)
    return sum(few) / len(few), spent / MANY


async def _few() -> float:
    """A task of few, in a process of its own: one has one pool."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.backlog", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    return float(said)


async def _cli(few: int, many: int) -> tuple[float, float]:
    """Wall seconds for one task of few, as many before the others as after them, and for one of many."""
    config, run = PoolConfig(unattended_mode=True), TaskOverrides(model="claude-sonnet-5-5")
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        (state / "work").mkdir()
        async with model_process(plain=True) as url:
            agent = ClaudeAgent(key="x", base_url=url)
            async with Pool.open(
                agent, folder=state / "work", slots=2, state=state / "pool", config=config
            ) as pool:

                async def timed(count: int) -> float:
                    began = time.perf_counter()
                    results = await pool.fan_out(["What is this?"] * count, config=run)
                    assert all(result.success for result in results)
                    return (time.perf_counter() - began) / count

                await timed(2)
                before, spent, after = await timed(few), await timed(many), await timed(few)
                return (before + after) / 2, spent


async def _hand_over(seconds: float) -> list[float]:
    """From the end of one task on the only slot to the start of the next, all rows of both written."""
    agent = Nothing(seconds)
    with tempfile.TemporaryDirectory() as state:
        async with Pool.open(agent, slots=1, state=state) as pool:
            await pool.fan_out(["x"] * 100)
    return [start - end for end, start in zip(agent.ended, agent.began[1:], strict=False)]


async def _wake_up() -> list[float]:
    """The slot alone, without any row."""
    slots, ended, gaps = Slots([Slot("s", SlotConfig())]), [0.0], []

    async def task() -> None:
        async with slots.lease():
            gaps.append(time.perf_counter() - ended[0])
            await asyncio.sleep(0)
            ended[0] = time.perf_counter()

    await asyncio.gather(*(task() for _ in range(1000)))
    return gaps[1:]


async def _warm_few() -> float:
    return median([await _no_op(FEW) for _ in range(4)][1:])


if __name__ == "__main__":
    print(asyncio.run(_warm_few()))
