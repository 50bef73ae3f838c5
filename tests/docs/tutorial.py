"""The lines of a tutorial, typed as they stand into one shell: a page that cannot be followed fails its test."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests import ours
from tests.docs.site import DOCS

PATIENCE: Final = 200.0
_CONSOLE: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OVER: Final = re.compile(r"\n--- (\d+)\n\Z")
Answer = Callable[[re.Match[str]], Awaitable[str]]


def lines(page: str, meant: Mapping[str, str]) -> list[str]:
    """What a tutorial says to type, in order, with what its names in capital letters mean here."""
    text = (DOCS / "tutorial" / f"{page}.md").read_text("utf-8")
    found = [
        line.removeprefix("$ ")
        for block in _CONSOLE.findall(text)
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    for name, value in meant.items():
        assert any(name in line for line in found), f"{page} names no {name}"
        found = [line.replace(name, value) for line in found]
    return found


def program(folder: Path, name: str, text: str) -> None:
    """Put a program of a few words into a folder of programs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def our_program(folder: Path) -> None:
    """The command line, as an installation puts it on the PATH; and a browser in which nobody looks."""
    program(folder, "claude-pool-gh", f'exec {shlex.join(ours.cli())} "$@"')
    program(folder, "xdg-open", "exit 0")


class Shell:
    """One shell, into which a person types."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def start(cls, folder: Path, programs: Path, **variables: str) -> AsyncIterator[Shell]:
        path = f"{programs}:{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            "sh",
            cwd=folder,
            env=ours.environment(**{"HOME": str(folder), **variables, "PATH": path}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield cls(process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def type(self, line: str, answers: Mapping[str, Answer] | None = None) -> str:
        """Type a line and what it asks for; its output. Raises AssertionError where the line fails."""
        return await self._typed(line, dict(answers or {}), _OVER)

    async def type_and_stop(self, line: str, seen: str) -> str:
        """Type a line, and press Ctrl-C when something has been printed; its output until the end."""
        said = await self._typed(line, {}, re.compile(seen))
        os.killpg(self._process.pid, signal.SIGINT)
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return said + (await self._process.stdout.read()).decode()

    async def _typed(self, line: str, answers: dict[str, Answer], end: re.Pattern[str]) -> str:
        source, target = self._process.stdout, self._process.stdin
        assert source is not None
        assert target is not None
        target.write(f"{line}; printf '\\n--- %s\\n' $?\n".encode())
        said = ""
        async with asyncio.timeout(PATIENCE):
            while (over := end.search(said)) is None:
                more = await source.read(100_000)
                assert more, f"{line} ended the shell:\n{said}"
                said += more.decode()
                for question in list(answers):
                    if match := re.search(question, said):
                        target.write((await answers.pop(question)(match)).encode())
        assert end is not _OVER or over[1] == "0", f"{line}:\n{said}"
        return said
