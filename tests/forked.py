"""Programs of ours as forks of a process that has imported everything.

Each is the same code in a process of its own, killed and signalled like any other; but it starts in a tenth of a
second instead of two, of which there are hundreds in a test run. Tests of starting and stopping use the real command.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context, util
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

util.get_temp_dir()  # now: a test that moves the temporary folder would have the socket made there, and removed
_context = get_context("forkserver")
_context.set_forkserver_preload(["tests.preload"])


class Forked:
    """What `Bot` and others need of a process."""

    def __init__(self, worker: ForkServerProcess) -> None:
        self._worker = worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._worker.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._worker.exitcode

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._worker.kill()

    def join(self) -> None:
        """Wait for its end."""
        self._worker.join()

    async def wait(self) -> int:
        """Wait for its end, and let others work meanwhile; the exit code."""
        while self.returncode is None:
            await asyncio.sleep(0.01)
        return self.returncode


@dataclass(frozen=True, slots=True)
class Program:
    """What a process is told; `main` is called with the arguments."""

    main: Callable[[Sequence[str]], int | None]
    arguments: Sequence[str]
    environment: Mapping[str, str]
    out: Path
    err: Path | None = None
    """Where its errors go; None: where all else goes."""
    folder: Path | None = None
    given: str = ""
    """What it reads."""

    def start(self) -> Forked:
        """Fork."""
        worker = _context.Process(target=_become, args=(self,))
        worker.start()
        return Forked(worker)


@dataclass(frozen=True, slots=True)
class Ran:
    """A program that has ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """Everything that it printed."""
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def cli(
    *arguments: str, environment: Mapping[str, str], folder: Path, given: str = ""
) -> Ran:
    """Run the command line `claude-pool-gh` to its end."""
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        process = Program(_cli, arguments, environment, out, err, folder, given).start()
        try:
            return Ran(await process.wait(), out.read_text(), err.read_text())
        finally:
            process.kill()


def _cli(arguments: Sequence[str]) -> None:
    from claude_pool_gh.service.cli import main  # noqa: PLC0415 - the fork has it already

    main(list(arguments))


def _become(program: Program) -> None:
    """In the child: put everything in place that a new process finds there, and go."""
    with tempfile.TemporaryFile() as given:
        given.write(program.given.encode())
        given.seek(0)
        os.dup2(given.fileno(), 0)
    sys.stdin = os.fdopen(0, closefd=False)
    for number, path in ((1, program.out), (2, program.err or program.out)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(program.environment)
    tempfile.tempdir = None
    time.tzset()
    if program.folder is not None:
        os.chdir(program.folder)
    sys.argv = ["claude-pool-gh", *program.arguments]
    sys.exit(program.main(program.arguments))
