"""The sealed list of a checkout: what it holds, and that nobody is changing it."""

from __future__ import annotations

import marshal
import os
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Final

from claude_pool_gh.worktrees.checkouts.listing import Entry, Listing

_VERSION: Final = 2
_LENGTH: Final = struct.Struct(">I")
_LONGEST_HEAD: Final = 65_536
"""What claims more is of another form: as much memory would be set aside before a byte of it is read."""
_BROKEN: Final = (OSError, ValueError, EOFError, TypeError, struct.error)
"""What reading a list raises that is cut, or of another form."""


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A checkout as it was when nobody had it."""

    commit: str
    index: Entry
    """The file of git's index itself: git would write through a link that stood there."""
    entries: Listing


def write(path: Path, sealed: SealedRecord) -> None:
    """Put the list in place in one move, so that whoever finds one finds all of it."""
    # A flat format that is read in milliseconds; nothing in it is ever executed, and no agent can write it.
    head = marshal.dumps((_VERSION, boot_id(), sealed.commit, sealed.index))
    put(path, _LENGTH.pack(len(head)) + head + marshal.dumps(sealed.entries))


def put(path: Path, data: bytes) -> None:
    """Replace a file whole, and follow no link that stands there."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    beside.rename(path)


def read(path: Path) -> SealedRecord | None:
    """The list; None where there is none, or one of another start of this machine: what a crash lost has no times."""
    try:
        with path.open("rb") as file:
            version, boot, commit, index = _head(file)
            # From bytes: of anything that has a method to read, the module asks for each number by itself.
            entries = marshal.loads(file.read())  # noqa: S302 - see `write`
    except _BROKEN:
        return None
    return (
        SealedRecord(commit, index, entries) if (version, boot) == (_VERSION, boot_id()) else None
    )


def commit_of(path: Path) -> str | None:
    """The commit of a whole checkout, without its list: the same answer however many files there are."""
    try:
        with path.open("rb") as file:
            version, boot, commit, _ = _head(file)
    except _BROKEN:
        return None
    return str(commit) if (version, boot) == (_VERSION, boot_id()) else None


def _head(file: BinaryIO) -> tuple[int, str, str, Entry]:
    """All but the entries."""
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    if length > _LONGEST_HEAD:
        raise ValueError(length)
    head: tuple[int, str, str, Entry] = marshal.loads(file.read(length))  # noqa: S302 - see `write`
    return head


@cache
def boot_id() -> str:
    """The mark of this start of the machine, unlike any other's; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return os.uname().nodename
