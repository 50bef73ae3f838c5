"""Copies a SQLite database while it is in use, and puts a copy in its place.

A copy is one consistent state: everything that was committed when it began, whatever is written meanwhile. Writers are
not held up.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from claude_pool_gh.storage.owners import is_mark_gone, own_mark
from claude_pool_gh.storage.private import private_file

_BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database."""
_UNFINISHED: Final = ".claude-pool-"
_MARK: Final = 2
"""The part of an unfinished file's name that says whose it is."""
_BUSY_SECONDS: Final = 2.0
_IN_USE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_OLD_SECONDS: Final = 3_600
"""After which what bears the mark of a dead process is not written any more, by no container of this host's name."""


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
    _sweep(target.absolute().parent)
    unfinished = _unfinished(target.absolute().parent)
    try:
        try:
            source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
            with closing(source):
                source.execute("VACUUM INTO ?", (str(unfinished.absolute()),))
        except sqlite3.Error as error:
            raise NoBackup(f"{database} cannot be copied: {error}") from error
        check(unfinished)
        _sync(unfinished)
        _name(unfinished, target)
        _sync(target.absolute().parent)
        return target.stat().st_size
    finally:
        _remove(unfinished)


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


@contextmanager
def replacing(database: Path, file: Path, aside: Path) -> Iterator[Path]:
    """A copy of `file` to be changed in the block, which takes the place of a database that nobody may have open.

    What was there is `aside` then. Whenever the process is killed, a whole database stands there: the old one, or the
    changed copy.
    """
    _sweep(database.parent)
    unfinished = _unfinished(database.parent)
    try:
        shutil.copyfile(file, unfinished)
        yield unfinished
        try:
            _settle(unfinished)
        except sqlite3.Error as error:
            raise NoBackup(f"{unfinished} cannot be written: {error}") from error
        _sync(unfinished)
        _move_aside(database, aside)
        unfinished.rename(database)
        _sync(database.parent)
    finally:
        _remove(unfinished)


def _move_aside(database: Path, aside: Path) -> None:
    """Give a database a second name; its first one is to be taken by a rename, which leaves no moment without any.

    Raises NoBackup where it is in use: without its log, which is moved first, it would be an older one.
    """
    with suppress(sqlite3.Error):  # a damaged one goes as it is
        _settle(database)
    for suffix in _BESIDE:
        with suppress(FileNotFoundError):
            Path(f"{database}{suffix}").rename(f"{aside}{suffix}")
    if database.exists():
        try:
            os.link(database, aside)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            database.rename(aside)


def _settle(database: Path) -> None:
    """Bring all of a database into its one file. One that is not there is not made.

    Raises NoBackup where somebody is reading or writing it, so that its log cannot go, and sqlite3.Error.
    """
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=_BUSY_SECONDS)) as opened:
        try:
            is_busy, *_ = opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in _IN_USE:
                raise
            is_busy = True
    if is_busy:
        raise NoBackup(f"another process is at work with {database}: stop that one first")


def _unfinished(folder: Path) -> Path:
    """An empty file for the owner alone, which says whose it is until it gets its name."""
    made = folder / f"{_UNFINISHED}{own_mark()}-{uuid4().hex[:8]}"
    private_file(made)
    return made


def _remove(unfinished: Path) -> None:
    for suffix in ("", *_BESIDE):
        Path(f"{unfinished}{suffix}").unlink(missing_ok=True)


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had not finished here: all of a database."""
    for left in folder.glob(f"{_UNFINISHED}*-*"):
        with suppress(OSError):  # somebody else's, or gone
            age = time.time() - left.stat().st_mtime
            if age > _OLD_SECONDS and is_mark_gone(left.name.split("-")[_MARK]):
                left.unlink()


def _name(unfinished: Path, target: Path) -> None:
    """Give a file its name. Raises FileExistsError where somebody has made another of that name meanwhile."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
        unfinished.rename(target)


def _sync(path: Path) -> None:
    """Let a file or folder reach the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
