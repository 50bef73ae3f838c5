"""The full road of one review, in its parts; and (d) the server's memory after its first review."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figures import Figure
from benchmarks.model import model_process
from benchmarks.stage import Stage, staged


async def measure() -> list[Figure]:
    """One review on a fresh server, and a second with everything warm."""
    with tempfile.TemporaryDirectory() as name:
        async with model_process() as url, staged(Path(name), url) as here:
            # its first start makes the database, and carries Alembic for that
            await here.server.stop()
            await here.server.start()
            figures = [Figure("memory of a server that waits", _memory(here), "MB", goal=110)]
            for number, state in ((1, "cold"), (2, "warm")):
                pull = here.pull(number)
                started = time.time()
                await here.github.comment(
                    here.maintainer, here.repository, pull.number, "/pool review"
                )
                acknowledged = time.time()
                await here.github.until(lambda p=pull: len(here.repository.comments(p.number)) > 1)  # type: ignore[misc]
                commented = time.time()
                await here.github.until(
                    lambda p=pull: any(
                        r.status == "completed" for r in here.repository.check_runs(p.head_sha)
                    ),  # type: ignore[misc]
                    timeout=60,
                )
                figures += [
                    Figure(f"{state}: delivery to 202", 1000 * (acknowledged - started), "ms"),
                    Figure(
                        f"{state}: 202 to tracking comment (reads, plan, write)",
                        1000 * (commented - acknowledged),
                        "ms",
                    ),
                    *_steps(here.server.state, state),
                    Figure(
                        f"{state}: delivery to complete check", 1000 * (time.time() - started), "ms"
                    ),
                ]
                if number == 1:
                    figures.append(
                        Figure("server's memory after its first review", _memory(here), "MB", 150)
                    )
            return figures


def _memory(here: Stage) -> float:
    assert here.server.process is not None
    return float(psutil.Process(here.server.process.pid).memory_info().rss / 2**20)


def _steps(state: Path, name: str) -> list[Figure]:
    with sqlite3.connect(state / "pool.sqlite") as rows:
        found = rows.execute(
            "SELECT s.name, s.ended_ms - s.started_ms FROM steps s JOIN chains c ON c.id = s.chain_id "
            "WHERE c.created_ms = (SELECT max(created_ms) FROM chains) ORDER BY s.position"
        )
        words = {"brief": "brief (reads, fetch, diff)", "find": "find (one CLI run)"}
        return [
            Figure(f"{name}: {words.get(step, step)}", took, "ms")
            for step, took in found
            if step in words
        ]
