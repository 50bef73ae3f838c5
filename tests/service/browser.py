"""A real browser, told what to do through its debugging port."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import aiohttp

PATIENCE: Final = 90.0
_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)


def installed() -> str | None:
    """The browser of this machine, if it has one."""
    return next((found for name in _PROGRAMS if (found := shutil.which(name))), None)


@dataclass(slots=True)
class Page:
    """The one page of a browser."""

    socket: aiohttp.ClientWebSocketResponse
    numbers: Any = field(default_factory=count)

    async def call(self, method: str, **parameters: Any) -> Any:
        """One command of the debugging protocol."""
        number = next(self.numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = await self.socket.receive_json(timeout=PATIENCE)
            if answer.get("id") == number:
                return answer.get("result") or {}

    async def script(self, text: str) -> Any:
        """The value of an expression on the page, as it is now; None while there is no page."""
        return (await self.call("Runtime.evaluate", expression=text)).get("result", {}).get("value")

    async def until(self, text: str) -> Any:
        """Wait until an expression is true of the page."""
        async with asyncio.timeout(PATIENCE):
            while not (value := await self.script(text)):
                await asyncio.sleep(0.1)
        return value


@asynccontextmanager
async def opened(program: str, folder: Path) -> AsyncIterator[Page]:
    """A browser with an empty page."""
    process = await asyncio.create_subprocess_exec(
        program,
        *_FLAGS,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while not (found := re.search(rb"ws://([\d.]+:\d+)/", await process.stderr.readline())):
                assert process.returncode is None, "the browser did not start"
        draining = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{found[1].decode()}/json") as answer:
                pages = json.loads(await answer.text())
            address = next(each["webSocketDebuggerUrl"] for each in pages if each["type"] == "page")
            async with session.ws_connect(address) as socket:
                yield Page(socket)
        draining.cancel()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
