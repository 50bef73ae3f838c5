"""The owners of claims: an id for this process, and whether the process behind another id is known to be gone."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import psutil


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


def sweep(
    folders: Iterable[Path],
    mark_of: Callable[[Path], str] = lambda folder: folder.name,
    *,
    remove: Callable[[Path], None] = lambda folder: shutil.rmtree(folder, ignore_errors=True),
) -> None:
    """Remove the folders that bear the mark of a process that is gone."""
    for folder in folders:
        if is_mark_gone(mark_of(folder)):
            remove(folder)


def _host_mark(host: str) -> str:
    return sha256(host.encode()).hexdigest()[:6]


def _is_hex(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789abcdef")
