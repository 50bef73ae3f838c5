"""The traits that a file system keeps of a folder besides its mode, and whether its change times can be believed."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_GET_FLAGS: Final = 0x8008_6601
_SET_BY_ITSELF: Final = 0x1000 | 0x8_0000 | 0x1000_0000
"""Flags that ext4 sets without being asked: a folder that has grown, extents, data in the inode."""
_BELIEVED: Final = frozenset({"ext4", "btrfs", "overlay"})
"""File systems on which every way to change a file was tried, and moved its change time."""


_TICKS: Final = 0.05
"""Seconds in which every file system's clock moves on."""


@dataclass(frozen=True, slots=True)
class Traits:
    """Extended attributes (access lists are such) and flags of a folder."""

    attributes: tuple[str, ...]
    flags: int


def traits_of(folder: Path | bytes) -> Traits:
    """The traits of a folder, as far as this system knows any. Raises OSError."""
    listing = getattr(os, "listxattr", None)
    attributes = () if listing is None else tuple(sorted(listing(folder, follow_symlinks=False)))
    return Traits(attributes, _flags(folder) & ~_SET_BY_ITSELF)


def traits_of_new_folder(beside: Path) -> Traits:
    """The traits of a folder that was just made in `beside`."""
    with tempfile.TemporaryDirectory(prefix=".traits-", dir=beside) as fresh:
        return traits_of(Path(fresh))


@cache
def are_times_believed(folder: Path) -> bool:
    """True where a file below `folder` cannot be changed without its change time. Takes a moment the first time."""
    return file_system_of(folder) in _BELIEVED and not _can_change_unseen(folder)


def file_system_of(folder: Path) -> str:
    """The type of the file system that holds a folder; empty where this system does not tell."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    place, best, kind = str(folder.resolve()), "", ""
    for line in mounts.splitlines():
        head, _, tail = line.partition(" - ")
        point = head.split()[4].encode().decode("unicode_escape")
        if (place + "/").startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, tail.split()[0]
    return kind


def _flags(folder: Path | bytes) -> int:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return int(struct.unpack("l", fcntl.ioctl(opened, _GET_FLAGS, struct.pack("l", 0)))[0])
    except OSError:  # a file system without flags
        return 0
    finally:
        os.close(opened)


def _can_change_unseen(folder: Path) -> bool:
    """True where a store into memory that was only read before changes a file and not its times, as on tmpfs."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as file:
        file.write(b"a" * mmap.PAGESIZE)
        file.flush()
        with mmap.mmap(file.fileno(), mmap.PAGESIZE) as pages:
            _ = pages[0]
            before = os.fstat(file.fileno()).st_ctime_ns
            time.sleep(_TICKS)
            pages[0] = ord("b")
            pages.flush()
            return os.fstat(file.fileno()).st_ctime_ns == before
