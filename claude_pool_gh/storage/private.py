"""Folders and files that only their owner can read.

Private source, prompts, transcripts and patches are in them.
"""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Final

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> Path:
    """Make a folder, its missing parents too, all for the owner alone. One that exists stays as it is."""
    if not path.is_dir():
        if path.parent != path:
            private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> None:
    """Make an empty file for the owner alone, or close an existing one of ours to others.

    SQLite gives the files that it makes beside a database the mode of the database.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    close_to_others(path)


def close_to_others(path: Path) -> None:
    """Take the rights of group and others from what is ours; what belongs to somebody else stays as it is."""
    found = path.lstat()
    if found.st_uid == os.geteuid() and found.st_mode & _OTHERS and not stat.S_ISLNK(found.st_mode):
        path.chmod(stat.S_IMODE(found.st_mode) & ~_OTHERS)


def open_to_others(folder: Path) -> bool:
    """True where anybody but its owner can enter or read a folder."""
    return bool(folder.stat().st_mode & _OTHERS)


def other_owner(folder: Path) -> str | None:
    """The user to whom a folder belongs, where that is not the one who runs this."""
    if (uid := folder.stat().st_uid) == os.geteuid():
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container
        return f"#{uid}"
