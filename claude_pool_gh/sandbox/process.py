"""One walled-in process: started, watched, ended."""

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

from claude_pool_gh.sandbox.walls import NOT_UNPACKED

_ENTER: Final = Path(__file__).with_name("enter.py")
_TAIL: Final = 16_000
"""Bytes of what was printed that are kept, the last ones."""
_LOOK_SECONDS: Final = 0.25
_END_SECONDS: Final = 5.0

_Started = tuple[asyncio.subprocess.Process, asyncio.StreamReader]


class End(StrEnum):
    """How a command ended."""

    exited = "exited"
    timed_out = "timed_out"
    flooded = "flooded"
    """It printed more than it may."""
    out_of_memory = "out_of_memory"
    not_started = "not_started"
    """The walls could not be built, or the files not laid out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What became of a command."""

    end: End
    status: int | None = None
    """Its exit status, where it exited."""
    seconds: float = 0.0
    output: str = ""
    """The end of what it printed: a stranger's words."""

    @property
    def well(self) -> bool:
        """Whether it exited with status 0."""
        return self.end is End.exited and self.status == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one command may use of this machine, besides time."""

    memory: int = 2 << 30
    """Bytes of all its processes together, and as much again for its files, which are kept in memory."""
    processes: int = 512
    output: int = 16 << 20
    """Bytes that it may print."""


async def watched(config: Path, files: Path, bounds: Bounds, seconds: float) -> Ran:
    """Become what the configuration says, with the files on standard input. Cancelled, it leaves nothing alive."""
    began = time.monotonic()
    told, telling = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        process, stream = await _start(config, files, telling)
        output = _Output(bounds.output)
        try:
            end = await _end(process, stream, output, bounds.memory, seconds)
        finally:
            await _kill(process, stream)
        status = _status(told)
    finally:
        os.close(told)
    if end is End.exited and status in (None, NOT_UNPACKED):
        end = End.not_started
    spent = time.monotonic() - began
    return Ran(end=end, status=status if end is End.exited else None, seconds=spent, output=output.text)


async def _start(config: Path, files: Path, telling: int) -> _Started:
    try:
        with files.open("rb") as stdin:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-IS", _ENTER, config, str(telling),
                stdin=stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                pass_fds=(telling,), env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
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
) -> End:
    """How it ended, or the first bound that it has passed."""
    outgrown = asyncio.create_task(_end_outgrown(process, memory))
    try:
        async with asyncio.timeout(seconds):
            await output.read(stream)
            if output.flooded:
                return End.flooded
            await process.wait()
            return End.out_of_memory if outgrown.done() else End.exited
    except TimeoutError:
        return End.timed_out
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
    """Kill it once all its processes together hold more memory than that."""
    while await asyncio.to_thread(_memory, process.pid) <= most:  # noqa: ASYNC110 - nothing tells of memory
        await asyncio.sleep(_LOOK_SECONDS)
    process.kill()


def _memory(root: int) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        for each in psutil.Process(root).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += each.memory_info().rss
    return total


async def _kill(process: asyncio.subprocess.Process, stream: asyncio.StreamReader) -> None:
    """With bubblewrap dies process 1 inside, and with that the kernel ends every other; their pipe closes then."""
    with suppress(ProcessLookupError):
        process.kill()
    with suppress(TimeoutError):
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
