"""The owners of claims: an id for this process, and whether the process behind another id is known to be gone.

A process is known by its number, the time of its start and the space in which numbers mean something: one boot of one
machine, and there one PID namespace. Neither a clock that is set nor another host of the same name makes it another.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
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

logger = logging.getLogger(__name__)

GONE: Final = "gone/0/0"
"""The owner of what a machine was at that is no more: gone for every process that asks."""
_held: Final[dict[Path, int]] = {}
"""The locks of this process, by file, with their open files."""
_OLD_SECONDS: Final = 86_400
_START: Final = "s"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NUMBERS: Final = Path("/proc/self/ns/pid")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_MOST: Final = 2**31 - 1
_STARTED: Final = 19
"""The place of the start, in ticks since the boot, among what follows the name in `/proc/PID/stat`."""


@cache
def own_id() -> str:
    """Host, process id and start: two processes never pass for one another."""
    return f"{_host()}@{_space()}/{os.getpid()}/{_start(os.getpid())}"


def _as_a_child() -> None:
    """A fork of this process is another one: it has an id of its own, and holds nothing that this one does."""
    own_id.cache_clear()
    own_mark.cache_clear()
    while _held:
        _, lock = _held.popitem()
        os.close(lock)


os.register_at_fork(after_in_child=_as_a_child)


def new_owner() -> str:
    """An id for one of several owners in this process, such as one of its pools."""
    return f"{own_id()}/{uuid4().hex[:8]}"


def is_gone(owner: str) -> bool:
    """True where the owner's process certainly no longer runs. Those of other hosts are never known to be gone.

    Nor are those of an earlier boot or another container: a host of this name may be another machine.
    """
    if owner == GONE:
        return True
    match owner.split("/"):
        case [host, number, start, *_] if (pid := _pid(number)) is not None:
            return host == f"{_host()}@{_space()}" and not _runs(pid, lambda own: own == start)
        case _:
            return False


@cache
def own_mark() -> str:
    """`own_id` as a short part of a file's name, with no `-` in it: for what is swept when the process is gone."""
    return f"{_short(_host())}.{os.getpid()}.{_mark_of(_start(os.getpid()))}"


def is_mark_gone(mark: str) -> bool:
    """True where no process that can be seen here has such an `own_mark`. False for what is none, whoever named it.

    Unlike an owner's, its process may run in another container of the same name: see `hold`.
    """
    match mark.split("."):
        case [host, number, start] if (pid := _pid(number)) is not None and start[:1] == _START:
            runs = _runs(pid, lambda own: _mark_of(own) == start)
            return host == _short(_host()) and not runs
        case [host, number, created] if (pid := _pid(number)) is not None and _is_hex(created):
            # As versions before this one name theirs, which may still run, by a time of the clock.
            return host == _short(_host()) and not _began_at(pid, int(created, 16))
        case [number] if (pid := _pid(number)) is not None:
            # As versions before this one named them. Nothing of this process has such a name any more.
            return pid == os.getpid() or not psutil.pid_exists(pid)
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
        with suppress(OSError):  # another process that starts now deletes the same ones
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
    """Remove the folders that bear the mark of a process that is gone.

    Others may write where they lie, as in a folder for temporary files: what cannot be removed costs itself alone.
    """
    for folder in folders:
        mark = mark_of(folder)
        try:
            if is_mark_gone(mark) and not _is_held(folder.parent, mark):
                remove(folder)
                _lock_of(folder.parent, mark).unlink(missing_ok=True)
        except OSError as error:
            said = {"folder": ascii(folder.name), "reason": type(error).__name__}
            logger.warning("not removed", extra={"action": "sweep_failed"} | said)


def _host() -> str:
    return socket.gethostname()


@cache
def _space() -> str:
    """The boot of this machine and the PID namespace in it; empty where the system does not tell, as on macOS."""
    try:
        return f"{_BOOT.read_text()[:8]}.{_NUMBERS.stat().st_ino:x}"
    except OSError:
        return ""


def _runs(pid: int, began: Callable[[str], bool]) -> bool:
    """True where there is a process of this number and start. One that hides from this user is taken for it."""
    try:
        return began(_start(pid))
    except (OSError, psutil.Error):
        return psutil.pid_exists(pid)


def _start(pid: int) -> str:
    """The start of a process, counted from the boot where the system tells. Raises OSError or psutil.Error.

    psutil gives it as a time of the clock, which is another one for the same process when the clock was set.
    """
    if _space():
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_STARTED]
    return str(int(psutil.Process(pid).create_time()))


def _began_at(pid: int, seconds: int) -> bool:
    try:
        return int(psutil.Process(pid).create_time()) == seconds
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # one that hides from this user
        return True


def _pid(text: str) -> int | None:
    """The number of a process; None for what no system gives one."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= _MOST else None


def _mark_of(start: str) -> str:
    """With a letter that no hexadecimal number has: versions before this one take it for nobody's, and leave it."""
    return _START + _short(f"{_space().partition('.')[0]}.{start}")


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:6]


def _is_hex(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")
