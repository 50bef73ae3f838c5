"""One sandboxed process: started, watched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import psutil

from claude_pool_gh.processes.launching import prepared
from claude_pool_gh.sandbox import memory
from claude_pool_gh.sandbox.isolation import NOT_UNPACKED

_ENTER: Final = Path(__file__).with_name("enter.py")
_TAIL: Final = 16_000
"""Bytes of what was printed that are kept, the last ones."""
_LOOK_SECONDS: Final = 0.25
_END_SECONDS: Final = 5.0

_Started = tuple[asyncio.subprocess.Process, asyncio.StreamReader]


class RunEnd(StrEnum):
    """The end of a command."""

    exited = "exited"
    timed_out = "timed_out"
    flooded = "flooded"
    """It printed more than it may."""
    out_of_memory = "out_of_memory"
    not_started = "not_started"
    """The sandbox could not be set up, or the files not laid out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """The result of a command."""

    end: RunEnd
    status: int | None = None
    """Its exit status, where it exited."""
    seconds: float = 0.0
    output: str = ""
    """The end of what it printed: a stranger's words."""

    @property
    def well(self) -> bool:
        """True where it exited with status 0."""
        return self.end is RunEnd.exited and self.status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of one command on this machine, besides time."""

    memory: int = 2 << 30
    """Bytes of all its processes together, and as much again for its files, which are kept in memory."""
    processes: int = 512
    output: int = 16 << 20
    """Bytes that it may print."""


async def watched(folder: Path, files: Path, bounds: Bounds, seconds: float) -> RunResult:
    """Start what a folder of its own holds, with the files on standard input. Cancelled, it leaves nothing alive."""
    began = time.monotonic()
    told, telling = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        process, stream = await _start(folder, files, telling)
        output = _Output(bounds.output)
        try:
            end = await _end(process, stream, output, bounds.memory, seconds)
        finally:
            await _end_all(process, stream)
        status = _status(told)
    finally:
        os.close(told)
    if end is RunEnd.exited and status in (None, NOT_UNPACKED):
        end = RunEnd.not_started
    spent = time.monotonic() - began
    return RunResult(
        end=end, status=status if end is RunEnd.exited else None, seconds=spent, output=output.text
    )


async def _start(folder: Path, files: Path, telling: int) -> _Started:
    """Through the launcher: should this process die, it ends all that was started, whatever came of that meanwhile."""
    start = prepared(folder, sys.executable, {}, "reaper")
    try:
        with files.open("rb") as stdin:
            process = await asyncio.create_subprocess_exec(
                *start,
                "-IS",
                _ENTER,
                folder / "config",
                str(telling),
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=(telling,),
                env={},
                cwd="/",
                start_new_session=True,
            )
    finally:
        os.close(telling)
    if process.stdout is None:
        raise RuntimeError("nothing can be read from the process")
    return process, process.stdout


async def _end(
    process: asyncio.subprocess.Process,
    stream: asyncio.StreamReader,
    output: _Output,
    memory: int,
    seconds: float,
) -> RunEnd:
    """The end of a command, or the first bound that it has passed."""
    outgrown = asyncio.create_task(_end_outgrown(process, memory))
    try:
        async with asyncio.timeout(seconds):
            await output.read(stream)
            if output.flooded:
                return RunEnd.flooded
            await process.wait()
            return RunEnd.out_of_memory if outgrown.done() else RunEnd.exited
    except TimeoutError:
        return RunEnd.timed_out
    finally:
        outgrown.cancel()


@dataclass(slots=True)
class _Output:
    most: int
    seen: int = 0
    tail: bytes = b""

    @property
    def flooded(self) -> bool:
        return self.seen > self.most

    @property
    def text(self) -> str:
        return self.tail.decode(errors="replace")

    async def read(self, stream: asyncio.StreamReader) -> None:
        """Until all who could print are gone, or it is too much."""
        while not self.flooded and (some := await stream.read(1 << 16)):
            self.seen += len(some)
            self.tail = (self.tail + some)[-_TAIL:]


async def _end_outgrown(process: asyncio.subprocess.Process, most: int) -> None:
    """End it once all its processes together hold more memory than that, in sight or out of it."""
    use = memory.MemoryUse(most)
    while not await asyncio.to_thread(use.is_passed, _below(process.pid)):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(_LOOK_SECONDS)
    with suppress(ProcessLookupError):
        process.terminate()


def _below(root: int) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return list(psutil.Process(root).children(recursive=True))
    return []


async def _end_all(process: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> None:
    """Leave nothing alive. The launcher sees to that; only where it does not come to it, its tree is killed by us."""
    tree = _below(process.pid)
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(TimeoutError):
        await _over(process, stream)
        return
    for each in {*tree, *_below(process.pid)}:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    with suppress(ProcessLookupError, TimeoutError):
        process.kill()
        await _over(process, stream)


async def _over(process: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> None:
    """Wait until nobody can print any more, and it has ended. Raises TimeoutError."""
    async with asyncio.timeout(_END_SECONDS):
        while await stream.read(1 << 16):
            pass
        await process.wait()


def _status(told: int) -> int | None:
    """The exit status as bubblewrap tells it, which the command cannot; None where it never came to the command."""
    with suppress(BlockingIOError):
        for line in os.read(told, 4096).splitlines():
            with suppress(ValueError):
                if "exit-code" in (news := json.loads(line)):
                    return int(news["exit-code"])
    return None
