"""What somebody in a shell, or a pre-commit hook, waits for before a command begins: CPU of the whole process."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from typing import Final

from benchmarks.figures import Figure, median

ROUNDS: Final = 7
_CLI: Final = ("-m", "claude_pool_gh.service.cli")


async def measure() -> list[Figure]:
    """In turns: an interpreter that does nothing, the list of commands, a checked configuration, a command's help."""
    commands: dict[str, tuple[tuple[str, ...], float | None]] = {
        "`python -c pass`": (("-c", "pass"), None),
        "`claude-pool-gh --help`": ((*_CLI, "--help"), 150),
        "`claude-pool-gh config check FILE`": (
            (*_CLI, "config", "check", "docs/claude-pool.example.yml"),
            300,
        ),
        "`claude-pool-gh run --help`": ((*_CLI, "run", "--help"), None),
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for arguments, _ in commands.values():
        await _cpu(arguments)  # so that everything is compiled
    for _ in range(ROUNDS):
        for name, (arguments, _) in commands.items():
            taken[name].append(await _cpu(arguments))
    return [
        Figure(f"{name}, CPU", 1000 * median(taken[name]), "ms", limit)
        for name, (_, limit) in commands.items()
    ]


async def _cpu(arguments: tuple[str, ...]) -> float:
    """Seconds of CPU, user and system, of a process of its own."""
    before = _children()
    environment = {
        name: each for name, each in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.DEVNULL, env=environment
    )
    assert await child.wait() == 0, arguments
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
