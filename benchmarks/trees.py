"""Checking out a repository of 50,000 files, the next of its commits and once more to read, against a fresh clone."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.figures import Figure, median
from claude_pool_gh.worktrees.checkouts.checkouts import Checkouts
from claude_pool_gh.worktrees.snapshot import begun, capture

FILES, CHANGED = 50_000, 20
ROUNDS = 5
READERS = 200
_WHO = ("-c", "user.name=b", "-c", "user.email=b@b", "-c", "maintenance.auto=false")


async def measure() -> list[Figure]:
    """All in turn, each on a disk that has nothing left to write: else the first pays for what was made before it."""
    moves, cycles, keeps, clones, shared, commits = [], [], [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        repository = await _repository(here / "repository")
        checkouts = Checkouts(here / "checkouts", repository / ".git")
        first = await _lease(checkouts, await _head(repository))
        for number in range(ROUNDS):
            await _next(repository, number)
            lent, whole = await _lease(checkouts, await _head(repository))
            moves.append(lent)
            cycles.append(whole)
            keeps.append(await _keep(checkouts, repository))
            clones.append(await _clone(repository, here / "clone"))
            commits.append(await _commit(here / "clone"))
            shared.append(await _clone(repository, here / "shared", "--shared"))
            for folder in ("clone", "shared"):
                shutil.rmtree(here / folder)
        further, places = await _read(checkouts, await _head(repository))
    return [
        Figure(f"first checkout of {FILES:,} files", first[0], "s"),
        Figure("fresh clone with objects of its own", median(clones), "s"),
        Figure("fresh clone that borrows the objects (--shared)", median(shared), "s"),
        Figure(f"next commit, {CHANGED} files of it", median(moves), "s"),
        Figure("next commit beside a fresh clone", median(moves) / median(clones), "times", 1 / 20),
        Figure(
            "next commit beside one that borrows", median(moves) / median(shared), "times", 1 / 8
        ),
        Figure("the same with proof and seal at its end", median(cycles), "s"),
        Figure(f"a further one of {READERS} readers", 1000 * further, "ms", 50),
        Figure(f"checkouts on disk for {READERS} readers", places, "", 1),
        Figure("keeping one changed file as commit and patch", median(keeps), "s"),
        Figure(
            "what a script would do for that: add, commit, diff in its clone", median(commits), "s"
        ),
    ]


async def _lease(checkouts: Checkouts, commit: str) -> tuple[float, float]:
    """Seconds until a writer has the commit, and until it is given back, proven and sealed."""
    await asyncio.to_thread(os.sync)
    began = time.perf_counter()
    async with checkouts.writing(commit):
        lent = time.perf_counter() - began
    return lent, time.perf_counter() - began


async def _keep(checkouts: Checkouts, repository: Path) -> float:
    """Seconds to keep one changed file."""
    head = await _head(repository)
    async with checkouts.writing(head) as checkout:
        with begun(head, head, checkout.index, own_git=False) as before:
            (checkout.tree / "d0" / "f0.txt").write_text("mine\n")
            began = time.perf_counter()
            assert await capture(repository / ".git", checkout.tree, before) is not None
            return time.perf_counter() - began


async def _read(checkouts: Checkouts, commit: str) -> tuple[float, float]:
    """Seconds of the median further reader, and how many checkouts lie there for the commit."""
    took, folders = [], set()
    async with AsyncExitStack() as readers:
        for _ in range(READERS):
            began = time.perf_counter()
            folders.add(await readers.enter_async_context(checkouts.reading(commit)))
            took.append(time.perf_counter() - began)
    return median(took[1:]), float(len(folders))


async def _next(repository: Path, number: int) -> None:
    for each in range(CHANGED):
        (repository / f"d{each}" / f"f{each}.txt").write_text(f"round {number}\n")
    await _git("-C", str(repository), *_WHO, "commit", "--quiet", "--all", "-m", f"Round {number}")


async def _head(repository: Path) -> str:
    git = await asyncio.create_subprocess_exec(
        "git", "-C", str(repository), "rev-parse", "HEAD", stdout=asyncio.subprocess.PIPE
    )
    return (await git.communicate())[0].decode().strip()


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
