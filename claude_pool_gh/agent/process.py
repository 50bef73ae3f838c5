"""The CLI's process: where it runs, what it may see, and how it is ended."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from claude_pool_gh.processes.launching import mode, prepared
from claude_pool_gh.storage import owners
from claude_pool_gh.storage.owners import own_mark

_PREFIX: Final = "cpg-"
_PASSED_ON: Final = ("PATH", "LANG", "TZ")


@dataclass(frozen=True, slots=True)
class Launch:
    """One run's private folder with the executable that starts the CLI."""

    folder: Path
    mode: str

    @property
    def executable(self) -> Path:
        """The program that the SDK starts as the CLI."""
        return self.folder / "claude"

    @property
    def config(self) -> Path:
        """The CLI's configuration folder, where it also keeps the conversation."""
        return self.folder / "config"

    @property
    def pid(self) -> int | None:
        """The launcher's process, once it runs."""
        try:
            return int((self.folder / "pid").read_text())
        except (OSError, ValueError):
            return None

    def is_over(self) -> bool:
        """True where the launcher has run and ended."""
        return self.pid is not None and self._root() is None

    async def end(self) -> None:
        """Leave no process of this run alive, whatever it does: some 5 seconds at the most."""
        if not (tree := self._tree()):
            return
        _signal(tree[:1], signal.SIGTERM)  # the launcher passes it on, and kills after 2 seconds
        if await _gone(tree, 4.0):
            return
        tree = list({*tree, *self._tree()})
        _signal(tree, signal.SIGKILL)
        await _gone(tree, 1.0)

    def _tree(self) -> list[psutil.Process]:
        """The launcher and its descendants, taken before any of them is killed."""
        if (root := self._root()) is None:
            return []
        try:
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _root(self) -> psutil.Process | None:
        """The launcher, unless it is gone; then another process may have its number."""
        if self.pid is None:
            return None
        try:
            root = psutil.Process(self.pid)
            return root if str(self.folder / "launch") in root.cmdline() else None
        except psutil.NoSuchProcess:
            return None


@contextmanager
def prepare(
    cli: Path, environment: Mapping[str, str], changes: Sequence[Path] | None = None
) -> Iterator[Launch]:
    """Make the folder for one run: home, configuration and temporary files, all removed at the end.

    Where the kernel can hold it to that, the CLI changes files in there and in the folders `changes`, and nowhere else;
    None: whatever this process may. The CLI sees `environment`, the few variables of `_PASSED_ON`, and no more.
    """
    # The path is short since the CLI puts a socket below it, and sockets have short names.
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{own_mark()}-"))
    try:
        own = [folder / name for name in ("home", "config", "tmp")]
        for each in own:
            each.mkdir()
        writable = None if changes is None else [*map(str, (*own, *changes)), os.devnull]
        start = prepared(
            folder, str(cli), _environment(folder) | dict(environment), mode(), writable
        )
        (folder / "claude").write_text(f'#!/bin/sh\nexec {shlex.join(start)} "$@"\n')
        (folder / "claude").chmod(0o700)
        yield Launch(folder, mode())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove the folders of runs whose server died under them."""
    owners.sweep(
        Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"), lambda folder: folder.name.split("-")[1]
    )


def bundled_cli() -> Path:
    """The CLI in the pinned SDK's wheel. Raises FileNotFoundError where the wheel has none."""
    import claude_agent_sdk  # noqa: PLC0415 - half a second, and only runs need it

    cli = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
    if not cli.exists():
        raise FileNotFoundError(
            "this platform's claude-agent-sdk carries no Claude CLI; use Linux (glibc) or macOS on x86-64 or arm64"
        )
    return cli


def _environment(folder: Path) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return passed | {
        "HOME": str(folder / "home"),
        "CLAUDE_CONFIG_DIR": str(folder / "config"),
        "TMPDIR": str(folder / "tmp"),
    }


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


async def _gone(processes: list[psutil.Process], seconds: float) -> bool:
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, seconds)
    return not alive
