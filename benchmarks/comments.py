"""Finding commands in the worst comments that could be thought of, beside a comment of prose."""

from __future__ import annotations

import time

from benchmarks.figures import Figure
from claude_pool_gh.commands.lines import find
from tests.commands.worst import SIZE, WORST, text

ROUNDS = 5
LIMIT_MS = 100.0


async def measure() -> list[Figure]:
    """CPU time of each; the five slowest are shown."""
    taken = {name: _milliseconds(name) for name in WORST}
    slowest = sorted(taken, key=lambda name: -taken[name])[:5]
    figures = [Figure("64 KB of prose", taken["prose"], "ms")]
    return figures + [Figure(f"64 KB of {name}", taken[name], "ms", LIMIT_MS) for name in slowest]


def _milliseconds(name: str) -> float:
    body = text(name, SIZE)
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        find(body)
        times.append(time.process_time() - begun)
    return 1000 * min(times)
