"""The server as a fork of a process that has imported everything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkstemp

from claude_pool_gh.rehearsal.bot import Bot
from tests.forked import Forked, Program
from tests.patience import PATIENCE


class ForkedBot(Bot):
    """A `Bot` whose server is forked. With `MORTAL_AT` in its environment it dies where that says."""

    async def start(self) -> None:
        """See `Bot.start`."""
        self.log.clear()
        file, name = mkstemp(suffix=".log", dir=self.state.parent)
        os.close(file)
        log = Path(name)
        process = Program(_serve, ("serve",), dict(self.environment), log).start()
        self.process = process  # type: ignore[assignment]
        self._reading = asyncio.create_task(self._follow(log, process))
        try:
            async with asyncio.timeout(PATIENCE):
                while not (
                    heard := [line for line in self.log if line.startswith("listening on ")]
                ):
                    if process.returncode is not None:
                        raise EOFError  # noqa: TRY301
                    await asyncio.sleep(0.01)
        except (TimeoutError, EOFError) as error:
            await self.kill()
            raise RuntimeError("the server did not start:\n" + "\n".join(self.log)) from error
        self.url = heard[-1].removeprefix("listening on ")
        self.environment["CLAUDE_POOL_PORT"] = self.url.rpartition(":")[2]

    async def _follow(self, path: Path, process: Forked) -> None:
        """Copy what the server prints into `log`, until it has ended."""
        with path.open(errors="replace") as file:
            while True:
                over = process.returncode is not None
                self.log.extend(line.rstrip() for line in file)
                if over:
                    return
                await asyncio.sleep(0.02)


def _serve(arguments: Sequence[str]) -> None:
    """In the child: become the server."""
    if "MORTAL_AT" in os.environ:
        from tests.crash import mortal  # noqa: PLC0415

        mortal.arm()
    from claude_pool_gh.service.cli import main  # noqa: PLC0415

    main(list(arguments))
