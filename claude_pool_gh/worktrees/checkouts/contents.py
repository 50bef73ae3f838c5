"""The slow proof, for file systems whose times cannot be believed: every file is read, and its id compared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from pathlib import Path

_LINK, _REPOSITORY = b"120000", b"160000"


def ids_of(staged: bytes) -> dict[bytes, tuple[bytes, str]]:
    """Mode and object id by path, from what `git ls-files -s -z` printed."""
    found = {}
    for line in filter(None, staged.split(b"\0")):
        meta, _, path = line.partition(b"\t")
        mode, name, _ = meta.split()
        found[path] = (mode, name.decode())
    return found


def altered(
    tree: Path, ids: Mapping[bytes, tuple[bytes, str]], known: Collection[bytes]
) -> set[bytes]:
    """The paths whose content is not what their id says, but for those that are known to be odd already."""
    top = os.fsencode(tree)
    return {
        path
        for path, (mode, name) in ids.items()
        if mode != _REPOSITORY and path not in known and _id(top + b"/" + path, mode, name) != name
    }


def _id(path: bytes, mode: bytes, like: str) -> str | None:
    try:
        data = os.readlink(path) if mode == _LINK else _read(path)  # noqa: PTH115
    except OSError:
        return None
    # as git has it
    algorithm = hashlib.sha256 if len(like) == hashlib.sha256().digest_size * 2 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data).hexdigest()


def _read(path: bytes) -> bytes:
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as file:
        return file.read()
