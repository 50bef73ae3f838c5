"""Taking a worktree of a repository of 50,000 files, against a fresh clone."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from claude_pool_gh.pool.config import Isolation
from claude_pool_gh.pool.ports import Wanted
from claude_pool_gh.worktrees.local import LocalRepository

FILES = 50_000
ROUNDS = 3


async def measure() -> list[Figure]:
    """Each taken and removed again, in turn."""
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        repository = await _repository(here / "repository")
        local = LocalRepository(repository, here / "trees")
        spec = await local.pinned(Isolation.worktree)
        await _worktree(local, spec, 0)  # makes the store
        trees = [await _worktree(local, spec, number) for number in range(1, 1 + ROUNDS)]
        clones = [await _clone(repository, here / f"clone-{number}") for number in range(ROUNDS)]
        shared = [await _clone(repository, here / f"shared-{number}", "--shared") for number in range(ROUNDS)]
    return [
        Figure(f"worktree of {FILES:,} files", median(trees), "s"),
        Figure("fresh clone over the file system, objects copied", median(clones), "s"),
        Figure("fresh clone that borrows the objects (--shared)", median(shared), "s"),
        Figure("worktree beside a fresh clone", median(trees) / median(clones), "times"),
    ]


async def _worktree(local: LocalRepository, spec: object, number: int) -> float:
    began = time.perf_counter()
    async with local.lease(Wanted(run_id=f"bench.{number}", slot="slot-0", spec=spec)) as lease:
        took = time.perf_counter() - began
        assert (lease.folder / "d0" / "f0.txt").is_file()
    return took


async def _clone(repository: Path, to: Path, *more: str) -> float:
    began = time.perf_counter()
    await _git("clone", "--quiet", *(more or ("--no-local",)), str(repository), str(to))
    return time.perf_counter() - began


async def _repository(folder: Path) -> Path:
    for number in range(FILES):
        place = folder / f"d{number % 250}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"f{number}.txt").write_text(f"file {number}\n" * 20)
    await _git("init", "--quiet", str(folder))
    await _git("-C", str(folder), "add", "--all")
    await _git(
        "-C", str(folder), "-c", "user.name=b", "-c", "user.email=b@b", "commit", "--quiet", "-m", "All"
    )
    await _git("-C", str(folder), "gc", "--quiet")
    return folder


async def _git(*arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    git = await asyncio.create_subprocess_exec("git", *arguments, env=environment)
    assert await git.wait() == 0
