"""`make bench`: run everything, or the parts that are named, and print it."""

from __future__ import annotations

import asyncio
import sys

from benchmarks import (
    action,
    audits,
    backlog,
    comments,
    growth,
    light,
    load,
    money,
    overhead,
    road,
    shell,
    throughput,
    trees,
    workers,
)

PARTS = {
    "light": (light.measure, "What the engine itself costs, beside plain asyncio"),
    "shell": (shell.measure, "What a shell waits for before a command does anything"),
    "overhead": (overhead.measure, "A task through the pool beside the bare CLI"),
    "throughput": (throughput.measure, "N slots beside `xargs -P N` over the bare CLI"),
    "backlog": (
        backlog.measure,
        "What one task costs as the queue grows; how fast a freed slot is taken",
    ),
    "workers": (workers.measure, "Worker processes on one PostgreSQL"),
    "trees": (trees.measure, "A worktree of a repository of 50,000 files beside a fresh clone"),
    "audits": (
        audits.measure,
        "An audit: plan, parts on slots, set-up of a part, 10 to 10,000 parts",
    ),
    "road": (road.measure, "One review in its parts"),
    "comments": (comments.measure, "Finding commands in hostile comments of 64 KB"),
    "money": (money.measure, "Reviews that end for want of money, by the bound of a request"),
    "acknowledge": (load.acknowledge, "Webhooks while all slots wait on a slow model"),
    "burst": (load.burst, "2,000 webhooks at once, with 1,100 half-sent requests open"),
    "growth": (growth.measure, "What ten thousand reviews leave, a month later"),
    "action": (action.measure, "What a job of the Action costs before it works; downloads 200 MB"),
    "first-comment": (load.first_comment, "First comment while fifty chains are on their way"),
}


def main() -> int:
    """Print every figure; the exit code says whether a limit was missed."""
    missed = 0
    for name, (measure, title) in PARTS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        print(f"\n{title}")
        for figure in asyncio.run(measure()):
            print(f"  {figure}")
            missed += figure.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
