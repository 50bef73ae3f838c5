"""A lock on one checkout, which the kernel opens when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Lock:
    """A held lock on the checkout in `place`."""

    place: Path
    file: int
    """Its descriptor, which no child inherits."""

    def share(self) -> bool:
        """Let readers in; False where somebody else was quicker. Also else look again at what is there now."""
        try:
            fcntl.flock(self.file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Give it up, and note that this was the last use."""
        os.utime(self.file)
        _close(self.file)


def take(place: Path, *, exclusive: bool) -> Lock | None:
    """The lock of a checkout; None where somebody else has it, or it is gone."""
    try:
        file = os.open(place / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        # else it was moved away in between
        if os.fstat(file).st_ino == (place / LOCK).stat().st_ino:
            return Lock(place, file)
    except OSError:
        pass
    _close(file)
    return None


def _close(file: int) -> None:
    """Unlock first: a process that is just being started has a copy, which would keep the lock until it runs."""
    fcntl.flock(file, fcntl.LOCK_UN)
    os.close(file)


@contextmanager
def shared(place: Path) -> Iterator[bool]:
    """Keep a checkout as it is meanwhile; False where somebody may be changing it, or it is gone."""
    held = take(place, exclusive=False)
    try:
        yield held is not None
    finally:
        if held is not None:
            held.release()


def make(place: Path) -> Lock:
    """Make the lock of a new checkout, held exclusively."""
    file = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Lock(place, file)


def last_use(place: Path) -> float:
    """The time at which the checkout was given back last, in seconds since the epoch; 0 where it is gone."""
    try:
        return (place / LOCK).stat().st_mtime
    except OSError:
        return 0.0
