"""The repository on GitHub that a local clone belongs to, by the address of its remote."""

from __future__ import annotations

import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_SCP: Final = re.compile(r"(?:[^@/\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>(?!/)[^\s]+)")
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_SAME_HOST: Final = {"ssh.github.com": "github.com", "www.github.com": "github.com"}


class NoRemote(ValueError):
    """The reason why the repository on GitHub cannot be told."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository on a host."""

    host: str
    owner: str
    name: str

    @property
    def full_name(self) -> str:
        """Owner and name, as GitHub writes them."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Clone:
    """A local clone and where it came from."""

    root: Path
    remote: Remote


def parsed(address: str) -> Remote:
    """The repository that an address names, in each form that git takes. Raises NoRemote."""
    host = path = ""
    if "://" in address:
        with suppress(ValueError):  # brackets that hold no address
            parts = urlsplit(address)
            host, path = parts.hostname or "", parts.path
    elif (match := _SCP.fullmatch(address)) is not None:
        host, path = match["host"], match["path"]
    names = path.strip("/").removesuffix(".git").split("/")
    if not host or len(names) != 2 or not all(map(_NAME.fullmatch, names)):
        raise NoRemote("the remote's address names no repository on a GitHub host")
    host = host.lower()
    return Remote(_SAME_HOST.get(host, host), names[0], names[1])


def read(folder: Path, remote: str = "origin") -> Clone:
    """The clone that a folder is in. Raises NoRemote, saying what to do."""
    root = _git(folder, "rev-parse", "--show-toplevel")
    if root is None:
        raise NoRemote(f"{folder.absolute()} is in no git repository: run this in a clone of yours")
    address = _git(folder, "remote", "get-url", remote)
    if address is None:
        raise NoRemote(f"this clone has no remote called {remote}: name another one with --remote")
    try:
        return Clone(Path(root), parsed(address))
    except NoRemote as error:
        raise NoRemote(f"{error}: see `git remote get-url {remote}`") from None


def _git(folder: Path, *arguments: str) -> str | None:
    """The output of git; None where it failed. Its address may hold a token, so nothing of it is repeated."""
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed words
    return done.stdout.strip() if done.returncode == 0 else None
