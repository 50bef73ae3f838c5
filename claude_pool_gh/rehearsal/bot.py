"""The bot as its operators run it: a server process of its own, pointed at the simulated GitHub and model."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from claude_pool_gh.rehearsal.github import App, SimulatedGitHub

WEBHOOK_SECRET = "rehearsal-secret-of-at-least-32-characters"
_START_SECONDS = 180.0
"""Only a machine that is very busy needs so long; a server that ends before it listens is noticed at once."""
_END_SECONDS = 60.0
_ROOT = str(Path(__file__).parents[2])
"""The server is of the same copy of the package as this, in whatever folder it is started."""
_LAST_LINES = 5


class DidNotStart(RuntimeError):
    """The reason why a server did not start, in its own last words."""


@dataclass(slots=True)
class Bot:
    """A server that can be started, killed and started again on the same state and port."""

    state: Path
    environment: dict[str, str]
    command: Sequence[str] = (sys.executable, "-P", "-m", "claude_pool_gh.service.cli", "serve")
    """`-P`: no file of the folder in which it is started is taken for a module."""
    ready: str = "listening on "
    """Begins the line that it prints once it works."""
    url: str = ""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=400))
    process: asyncio.subprocess.Process | None = None
    _reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process and wait until it listens. Raises DidNotStart with its last words otherwise."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        listening = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(listening))
        try:
            async with asyncio.timeout(_START_SECONDS):
                self.url = await listening
        except (TimeoutError, EOFError) as error:
            late = isinstance(error, TimeoutError)
            why = f"did not listen within {_START_SECONDS:g} seconds" if late else "did not start"
            await self.kill()
            said = "\n".join(self.log) or "it printed nothing"
            raise DidNotStart(f"the server {why}:\n{said}") from error
        self.environment["CLAUDE_POOL_PORT"] = self.url.rpartition(":")[2]

    async def _read(self, listening: asyncio.Future[str]) -> None:
        if self.process is None or self.process.stdout is None:
            raise RuntimeError("the server is not started")
        async for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip()
            self.log.append(text)
            if text.startswith(self.ready) and not listening.done():
                listening.set_result(text.removeprefix(self.ready))
        if not listening.done():
            listening.set_exception(EOFError())

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End it as an operator would; its exit code."""
        return await self._end(signal.SIGTERM)

    @property
    def runs(self) -> bool:
        """True while its process does."""
        return self.process is not None and self.process.returncode is None

    @property
    def last_words(self) -> list[str]:
        """The last lines of its log; of a traceback only what was raised."""
        return [line for line in self.log if line and not line.startswith(" ")][-_LAST_LINES:]

    async def ended(self) -> int:
        """Wait until it has ended by itself."""
        if self.process is None:
            return 0
        code = await self.process.wait()
        if self._reading is not None:
            await self._reading
        return code

    async def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(_END_SECONDS):
                return await self.ended()
        except TimeoutError:
            self.process.kill()
            return await self.ended()


def environment(
    github: SimulatedGitHub,
    app: App,
    model_url: str,
    state: Path,
    more: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Everything the server is told, and nothing of this process's own environment but the path of programs."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": _ROOT,
        "HOME": str(state),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "CLAUDE_POOL_APP_ID": str(app.id),
        "CLAUDE_POOL_PRIVATE_KEY": app.private_key,
        "CLAUDE_POOL_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "CLAUDE_POOL_STATE_DIR": str(state),
        "CLAUDE_POOL_PORT": "0",
        "CLAUDE_POOL_WRITE_INTERVAL": "0",
        "CLAUDE_POOL_STOP_TIMEOUT": "0",
        "ANTHROPIC_API_KEY": "sk-ant-rehearsal-real-key",
        "ANTHROPIC_BASE_URL": model_url,
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.url,
    } | dict(more or {})


@asynccontextmanager
async def running(
    github: SimulatedGitHub,
    app: App,
    model_url: str,
    state: Path,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[Bot]:
    """A started bot that receives the App's webhooks, stopped at the end."""
    bot = Bot(state, environment(github, app, model_url, state, more))
    await bot.start()
    app.webhook_url = f"{bot.url}/webhook"
    try:
        yield bot
    finally:
        await bot.stop()
