"""The server as a fork of a process that has imported everything.

It is the same code in a process of its own, killed and signalled like any other; but it starts in a tenth of a
second instead of one and a half, of which there are hundreds in a test run. Tests of starting and stopping use the
real command.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import mkstemp

from claude_pool_gh.rehearsal.bot import Bot
from tests.patience import PATIENCE

_PRELOAD = ["tests.acceptance.preload"]
_context = get_context("forkserver")
_context.set_forkserver_preload(_PRELOAD)


class Forked:
    """What `Bot` needs of a process."""

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

    async def wait(self) -> int:
        """Wait for its end; the exit code."""
        while self.returncode is None:
            await asyncio.sleep(0.01)
        return self.returncode


class ForkedBot(Bot):
    """A `Bot` whose server is forked. With `MORTAL_AT` in its environment it dies where that says."""

    async def start(self) -> None:
        """See `Bot.start`."""
        self.log.clear()
        file, name = mkstemp(
            suffix=".log", dir=self.environment["HOME"] if self.state.exists() else None
        )
        os.close(file)
        worker = _context.Process(target=_run, args=(dict(self.environment), name))
        worker.start()
        self.process = Forked(worker)  # type: ignore[assignment]
        self._reading = asyncio.create_task(self._follow(Path(name), worker))
        try:
            async with asyncio.timeout(PATIENCE):
                while not (
                    heard := [line for line in self.log if line.startswith("listening on ")]
                ):
                    if worker.exitcode is not None:
                        raise EOFError  # noqa: TRY301
                    await asyncio.sleep(0.01)
        except (TimeoutError, EOFError) as error:
            await self.kill()
            raise RuntimeError("the server did not start:\n" + "\n".join(self.log)) from error
        self.url = heard[-1].removeprefix("listening on ")
        self.environment["CLAUDE_POOL_PORT"] = self.url.rpartition(":")[2]

    async def _follow(self, path: Path, worker: ForkServerProcess) -> None:
        """Copy what the server prints into `log`, until it has ended."""
        with path.open(errors="replace") as file:
            while True:
                over = worker.exitcode is not None
                self.log.extend(line.rstrip() for line in file)
                if over:
                    return
                await asyncio.sleep(0.02)


def _run(environment: dict[str, str], log: str) -> None:
    """In the child: become the server."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    if "MORTAL_AT" in environment:
        from tests.crash import mortal  # noqa: PLC0415

        mortal.arm()
    from claude_pool_gh.service.cli import main  # noqa: PLC0415

    main(["serve"])
