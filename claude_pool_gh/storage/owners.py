"""The owners of claims: an id for this process, and whether the process behind another id is known to be gone."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import uuid4

import psutil

_held: Final[dict[Path, int]] = {}
"""The locks of this process, by file, with their open files."""
_OLD_SECONDS: Final = 86_400


@cache
def own_id() -> str:
    """Host, process id and start time: unique per boot, so two processes never pass for one another."""
    return f"{socket.gethostname()}/{os.getpid()}/{int(psutil.Process().create_time())}"


def new_owner() -> str:
    """An id for one of several owners in this process, such as one of its pools."""
    return f"{own_id()}/{uuid4().hex[:8]}"


def is_gone(owner: str) -> bool:
    """True where the owner's process certainly no longer runs. Those of other hosts are never known to be gone."""
    host, pid, created = owner.split("/")[:3]
    if host != own_id().split("/", maxsplit=1)[0]:
        return False
    try:
        return int(psutil.Process(int(pid)).create_time()) != int(created)
    except psutil.NoSuchProcess:
        return True


@cache
def own_mark() -> str:
    """`own_id` as a short part of a file's name, with no `-` in it: for what is swept when the process is gone."""
    host, pid, created = own_id().split("/")
    return f"{_host_mark(host)}.{pid}.{int(created):x}"


def is_mark_gone(mark: str) -> bool:
    """`is_gone` for an `own_mark`. False for what is none."""
    match mark.split("."):
        case [host, pid, created] if pid.isdecimal() and _is_hex(created):
            own_host = own_id().split("/", maxsplit=1)[0]
            return host == _host_mark(own_host) and is_gone(f"{own_host}/{pid}/{int(created, 16)}")
        case [pid] if pid.isdecimal():
            # As versions before this one named them. Nothing of this process has such a name any more.
            return int(pid) == os.getpid() or not psutil.pid_exists(int(pid))
        case _:
            return False


def hold(place: Path) -> None:
    """Lock what bears this process's mark in a folder, for as long as the process lives.

    A process in another container may have the same host name, and then cannot see whether this one lives: it sees the
    lock, which the system lets go with its process.
    """
    file = _lock_of(place, own_mark())
    if file in _held:
        return
    for left in place.glob(".*.lock"):
        with suppress(FileNotFoundError):  # another process that starts now deletes the same ones
            # One that was made just now may not be locked yet.
            mark, age = left.name[1 : -len(".lock")], time.time() - left.stat().st_mtime
            if age > _OLD_SECONDS and is_mark_gone(mark) and not _is_held(place, mark):
                left.unlink()
    _held[file] = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    with suppress(OSError):  # a file system without locks is as it was before there were any
        fcntl.flock(_held[file], fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_held(place: Path, mark: str) -> bool:
    try:
        file = os.open(_lock_of(place, mark), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(file)
    return False


def _lock_of(place: Path, mark: str) -> Path:
    return place / f".{mark}.lock"


def sweep(
    folders: Iterable[Path],
    mark_of: Callable[[Path], str] = lambda folder: folder.name,
    *,
    remove: Callable[[Path], None] = lambda folder: shutil.rmtree(folder, ignore_errors=True),
) -> None:
    """Remove the folders that bear the mark of a process that is gone."""
    for folder in folders:
        mark = mark_of(folder)
        if is_mark_gone(mark) and not _is_held(folder.parent, mark):
            remove(folder)
            _lock_of(folder.parent, mark).unlink(missing_ok=True)


def _host_mark(host: str) -> str:
    return sha256(host.encode()).hexdigest()[:6]


def _is_hex(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")
