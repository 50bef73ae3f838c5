"""Who holds a claim: an id for this process, and whether the process behind another id is known to be gone."""

from __future__ import annotations

import os
import socket
from functools import cache
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
    """Whether the owner's process certainly no longer runs. Those of other hosts are never known to be gone."""
    host, pid, created = owner.split("/")[:3]
    if host != own_id().split("/", maxsplit=1)[0]:
        return False
    try:
        return int(psutil.Process(int(pid)).create_time()) != int(created)
    except psutil.NoSuchProcess:
        return True
