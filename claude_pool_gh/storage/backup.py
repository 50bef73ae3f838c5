"""Copies a SQLite database while it is in use, and puts a copy in its place.

A copy is one consistent state: everything that was committed when it began, whatever is written meanwhile. Writers are
not held up.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from claude_pool_gh.storage.private import private_file

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""


class NoBackup(ValueError):
    """A file that is no usable copy, in words."""


def copy(database: Path, target: Path) -> int:
    """Write a copy, for its owner alone, durable before it has its name; its bytes.

    Raises FileExistsError where the target exists, FileNotFoundError without a database, OSError, and NoBackup.
    """
    if target.exists():
        raise FileExistsError(target)
    if not database.is_file():
        raise FileNotFoundError(database)
    unfinished = target.with_name(f".{target.name}.{uuid4().hex[:8]}")
    try:
        private_file(unfinished)
        try:
            source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
            with closing(source):
                source.execute("VACUUM INTO ?", (str(unfinished.absolute()),))
        except sqlite3.Error as error:
            raise NoBackup(f"{database} cannot be copied: {error}") from error
        check(unfinished)
        _sync(unfinished)
        os.link(unfinished, target)  # fails where somebody has made the target meanwhile
        _sync(target.absolute().parent)
        return target.stat().st_size
    finally:
        unfinished.unlink(missing_ok=True)


def check(file: Path) -> str:
    """The schema's revision of a copy. Raises NoBackup where it is damaged or something else."""
    try:
        source = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        with closing(source):
            (found,) = source.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise NoBackup(f"{file} is damaged: {found}")
            (revision,) = source.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(revision)
    except (sqlite3.Error, TypeError) as error:
        raise NoBackup(f"{file} is no copy of a pool's database: {error}") from error


def put(file: Path, database: Path, aside: Path) -> None:
    """Put a copy in a database's place, which nobody may have open. What was there is moved to `aside`."""
    unfinished = database.with_name(f".{database.name}.{uuid4().hex[:8]}")
    try:
        private_file(unfinished)
        unfinished.write_bytes(file.read_bytes())
        _sync(unfinished)
        for suffix in ("", *_BESIDE):
            with suppress(FileNotFoundError):
                Path(f"{database}{suffix}").rename(f"{aside}{suffix}")
        unfinished.rename(database)
        _sync(database.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Let a file or folder reach the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
