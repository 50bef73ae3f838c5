"""The one function through which every git command of the host runs.

Its environment is built from nothing: no variable of the server's, no user or system configuration, no prompt,
no hook, no protocol but those of a forge. GitPython offers no way to run a command without `os.environ`, so it
is used only to read objects, and there with a scrubbed environment too (see `history`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from claude_pool_gh.worktrees import faults
from claude_pool_gh.worktrees.errors import TookTooLong, WorktreeError

_PASSED_ON: Final = (
    "PATH",
    "GIT_SSL_CAINFO",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)

_SAFE: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.pager=cat",
    "core.fsync=reference",  # beside what git makes sure of anyway: else a power cut leaves empty refs
    "credential.helper=",
    "diff.external=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",  # GitHub Enterprise Server on a private network, and the rehearsal
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "transfer.fsckObjects=true",
    *(f"fetch.fsck.{old}=ignore" for old in faults.TOLERATED),
    "advice.detachedHead=false",
    "checkout.workers=4",  # a whole tree is written in two thirds of the time, also on two cores
    "user.name=claude-pool",
    "user.email=claude-pool@localhost",
)

_PRINTED_LIMIT: Final = 4000
"""Characters of what a failed command printed that are kept."""

DEFAULT_TIMEOUT: Final = 60.0
"""Seconds for a command that stays on this machine."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials for one origin. They travel in the environment of one command, nowhere else."""

    token: str
    url: str
    proxy: str | None = None
    """The proxy to go through; "" for none, whatever the environment names; None for the environment's."""

    def environment(self) -> dict[str, str]:
        """Configuration for `http.extraHeader`, limited to the url's own origin, and for `http.proxy`."""
        parts = urlsplit(self.url)
        basic = b64encode(f"x-access-token:{self.token}".encode()).decode()
        told = [
            (f"http.{parts.scheme}://{parts.netloc}/.extraHeader", f"Authorization: Basic {basic}")
        ]
        told += [] if self.proxy is None else [("http.proxy", self.proxy)]
        pairs = [
            (f"GIT_CONFIG_{kind}_{number}", text)
            for number, pair in enumerate(told)
            for kind, text in zip(("KEY", "VALUE"), pair, strict=True)
        ]
        return {"GIT_CONFIG_COUNT": str(len(told)), **dict(pairs)}


async def git(
    *arguments: str | Path,
    git_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the process is killed with its children, see below
) -> bytes:
    """Run git and return what it printed. Raises WorktreeError; after `timeout` seconds the process is killed."""
    where = [] if git_dir is None else [f"--git-dir={git_dir}"]
    safe = [part for option in _SAFE for part in ("-c", option)]
    command = [_executable(), *where, *safe, *map(str, arguments)]
    process = await _start(
        command, scrubbed_environment() | dict(environment or {}), piped=stdin is not None
    )
    name = f"git {arguments[0]}"
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(stdin)
    except TimeoutError as error:
        raise TookTooLong(f"{name} took more than {timeout:.0f} seconds") from error
    finally:
        if process.returncode is None:
            _kill(process.pid)
            await process.wait()
    if process.returncode:
        said, printed = (_end_of(each) for each in (err, out))
        raise WorktreeError(f"{name} failed", said, printed)
    return out


def _end_of(printed: bytes) -> str:
    return printed.decode(errors="replace").strip()[-_PRINTED_LIMIT:]


async def _start(
    command: list[str], environment: dict[str, str], *, piped: bool
) -> asyncio.subprocess.Process:
    """Start it whole, and end it when cancelled meanwhile: else git's own children would live on, and be waited for."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_end_at_birth)  # also where a second cancel comes before that
        await asyncio.wait([starting])
        raise


def _end_at_birth(starting: asyncio.Task[asyncio.subprocess.Process]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        _kill(starting.result().pid)


def scrubbed_environment() -> dict[str, str]:
    """The environment of git: where programs are, and no configuration but ours."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def _executable() -> str:
    found = shutil.which("git")
    if found is None:
        raise WorktreeError("git is not installed, or not on PATH")
    return found


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, 9)
