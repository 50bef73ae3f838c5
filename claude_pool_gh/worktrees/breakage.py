"""Drops what git calls broken in a mirror, as a power cut or a full disk leaves it: it is fetched again.

Git ignores a broken ref in some commands, and in others lets it fail what has nothing to do with it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from claude_pool_gh.worktrees.git import git

logger = logging.getLogger(__name__)

_REFS: Final = "refs/pool"
_ID: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\n?")


async def drop_broken(mirror: Path) -> int:
    """Drop refs that name nothing, or what is not here, and objects without content; how many. Under the mirror's lock.

    Raises WorktreeError.
    """
    dropped = await asyncio.to_thread(drop_unreadable, mirror)
    named = await asyncio.to_thread(_named, mirror)
    if named:
        ids = "".join(f"{each}\n" for each in named)
        asked = ("cat-file", "--batch-check=%(objecttype)")
        out = await git(*asked, git_dir=mirror, stdin=ids.encode())
        for said, refs in zip(out.splitlines(), named.values(), strict=True):
            if said.endswith(b" missing"):
                dropped += _remove(refs, "it names an object that is not here")
    return dropped


def drop_unreadable(mirror: Path) -> int:
    """Drop the refs and objects of which it can be seen without git that they are broken; how many."""
    refs = [each for each in _files(mirror) if not _ID.fullmatch(each.read_bytes())]
    empty = [
        each
        for each in (mirror / "objects").glob("??/*")
        if each.is_file() and not each.name.startswith("tmp_") and not each.stat().st_size
    ]
    return _remove(refs, "it holds no id") + _remove(empty, "it is empty")


def _named(mirror: Path) -> dict[str, list[Path]]:
    """The refs by the ids that they hold."""
    named: dict[str, list[Path]] = {}
    for each in _files(mirror):
        named.setdefault(each.read_bytes().decode().strip(), []).append(each)
    return named


def _files(mirror: Path) -> list[Path]:
    """The refs of fetches. None is packed here, so each is a file."""
    below = (mirror / _REFS).rglob("*")
    return [each for each in below if each.is_file() and not each.name.endswith(".lock")]


def _remove(files: list[Path], why: str) -> int:
    for each in files:
        with suppress(FileNotFoundError):
            each.unlink()
        logger.warning("%s dropped: %s", each, why, extra={"action": "broken_dropped"})
    return len(files)
