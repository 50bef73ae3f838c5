"""Taking a worktree of a repository of 50,000 files and keeping what changed in it, against a fresh clone."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, median
from claude_pool_gh.pool.model.config import Isolation
from claude_pool_gh.pool.model.plan import WorkspaceSpec
from claude_pool_gh.pool.model.ports import Wanted
from claude_pool_gh.worktrees.local import LocalRepository

FILES = 50_000
ROUNDS = 3
_WHO = ("-c", "user.name=b", "-c", "user.email=b@b", "-c", "maintenance.auto=false")


async def measure() -> list[Figure]:
    """All in turn, each on a disk that has nothing left to write: else the first pays for what was made before it."""
    trees, clones, shared, commits = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        repository = await _repository(here / "repository")
        local = LocalRepository(repository, here / "trees")
        spec = await local.pinned(Isolation.worktree)
        await _worktree(local, spec, 0)  # makes the store
        for number in range(1, 1 + ROUNDS):
            trees.append(await _worktree(local, spec, number))
            clones.append(await _clone(repository, here / "clone"))
            commits.append(await _commit(here / "clone"))
            shared.append(await _clone(repository, here / "shared", "--shared"))
            for folder in ("clone", "shared"):
                shutil.rmtree(here / folder)
    takes, captures, idle = ([each[part] for each in trees] for part in range(3))
    return [
        Figure(f"worktree of {FILES:,} files", median(takes), "s"),
        Figure("fresh clone over the file system, objects copied", median(clones), "s"),
        Figure("fresh clone that borrows the objects (--shared)", median(shared), "s"),
        Figure("worktree beside a fresh clone", median(takes) / median(clones), "times"),
        Figure("finding that a run changed nothing", median(idle), "s"),
        Figure("keeping one changed file as commit and patch", median(captures), "s"),
        Figure("what a script would do for that: add, commit, diff in its clone", median(commits), "s"),
    ]


async def _worktree(local: LocalRepository, spec: WorkspaceSpec, number: int) -> tuple[float, float, float]:
    """Seconds to take it, to keep one changed file, and before that to find that nothing was changed."""
    await asyncio.to_thread(os.sync)
    began = time.perf_counter()
    async with local.lease(Wanted(run_id=f"bench.{number}", slot="slot-0", spec=spec)) as lease:
        took = time.perf_counter()
        assert await lease.capture() is None
        looked = time.perf_counter()
        (lease.folder / "d0" / "f0.txt").write_text("changed\n")
        assert await lease.capture() is not None
        return took - began, time.perf_counter() - looked, looked - took


async def _commit(clone: Path) -> float:
    began = time.perf_counter()
    (clone / "d0" / "f0.txt").write_text("changed\n")
    await _git("-C", str(clone), "add", "--all")
    await _git("-C", str(clone), *_WHO, "commit", "--quiet", "-m", "Change")
    await _git("-C", str(clone), "diff", "--binary", "--output=/dev/null", "HEAD~1", "HEAD")
    return time.perf_counter() - began


async def _clone(repository: Path, to: Path, *more: str) -> float:
    await asyncio.to_thread(os.sync)
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
    await _git("-C", str(folder), *_WHO, "commit", "--quiet", "-m", "All")
    await _git("-C", str(folder), "gc", "--quiet")
    return folder


async def _git(*arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    git = await asyncio.create_subprocess_exec("git", *arguments, env=environment)
    assert await git.wait() == 0
