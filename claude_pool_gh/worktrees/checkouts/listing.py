"""A list of everything in a folder, precise enough to show that nothing in it has been touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

Entry = tuple[int, ...]
"""Inode, mode, owner, group and change time in ns; of anything but a folder also its size and number of links."""
Listing = dict[bytes, Entry]
"""Every entry by its path below the top; the top itself is the empty path."""

_IDENTITY: Final = 4


class UnusableCheckout(Exception):
    """A folder that cannot be listed or mended, in a few words. It has to be removed whole."""


def listed(top: bytes) -> Listing:
    """Walk a folder without following a link. Raises Condemned where a part of it cannot be seen."""
    try:
        found = os.lstat(top)
        if not stat.S_ISDIR(found.st_mode):
            raise UnusableCheckout("it is no folder any more")
        entries, todo = {b"": _entry(found)}, [b""]
        while todo:
            folder = todo.pop()
            for path, status in _children(top, folder):
                if status.st_dev != found.st_dev:
                    raise UnusableCheckout("another file system is mounted in it")
                entries[path] = _entry(status)
                if stat.S_ISDIR(status.st_mode):
                    todo.append(path)
    except OSError as error:  # no rights left, or a path that is longer than paths can be
        raise UnusableCheckout(f"it cannot be listed ({error.strerror})") from error
    return entries


def relist(top: bytes, entries: Listing, paths: Iterable[bytes]) -> None:
    """Look at some paths anew, and at every folder above them; what lies behind a link is not in the folder."""
    for path in sorted({each for one in paths for each in _with_parents(one)}, key=len):
        if path and not _is_below_folders(path, entries):
            entries.pop(path, None)
            continue
        try:
            entries[path] = _entry(os.lstat(os.path.join(top, path) if path else top))  # noqa: PTH118
        except (FileNotFoundError, NotADirectoryError):
            entries.pop(path, None)
        except OSError as error:
            raise UnusableCheckout(f"it cannot be listed ({error.strerror})") from error


def check_way(top: Path, path: bytes) -> None:
    """Raises UnusableCheckout where anything but a folder stands above a path: who goes on would leave `top`."""
    opened = -1
    try:
        opened = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        for name in path.split(b"/")[:-1]:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = below
    except OSError as error:
        raise UnusableCheckout(f"a folder in it is none any more ({error.strerror})") from error
    finally:
        if opened >= 0:
            os.close(opened)


def differing(old: Listing, new: Listing, is_plain: Callable[[bytes], bool]) -> set[bytes]:
    """Paths that are not what they were. `is_plain` tells whether a folder has no attributes and flags of its own.

    A folder's times change whenever an entry comes or goes, so its identity counts, and that it is plain.
    """
    odd = set(old.keys() ^ new.keys())
    for path in old.keys() & new.keys():
        before, after = old[path], new[path]
        same_folder = (
            is_folder(before) and is_folder(after) and before[:_IDENTITY] == after[:_IDENTITY]
        )
        if before != after and not (same_folder and is_plain(path)):
            odd.add(path)
    return odd


def entry_of(path: Path) -> Entry:
    """One file's entry. Raises OSError."""
    return _entry(path.lstat())


def topmost(paths: Iterable[bytes]) -> list[bytes]:
    """Those of the paths that lie below none of the others."""
    found: list[bytes] = []
    for path in sorted(paths, key=lambda each: each.split(b"/")):
        if not (found and (not found[-1] or path.startswith(found[-1] + b"/"))):
            found.append(path)
    return found


def is_folder(entry: Entry) -> bool:
    """True where the entry is a folder."""
    return stat.S_ISDIR(entry[1])


def size_of(entries: Mapping[bytes, Entry]) -> int:
    """Bytes of all files together."""
    return sum(0 if is_folder(entry) else entry[5] for entry in entries.values())


def _children(top: bytes, folder: bytes) -> list[tuple[bytes, os.stat_result]]:
    opened = os.open(os.path.join(top, folder), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)  # noqa: PTH118
    try:
        return [
            (
                folder + b"/" + name if folder else name,
                os.stat(name, dir_fd=opened, follow_symlinks=False),
            )
            for name in map(os.fsencode, os.listdir(opened))  # noqa: PTH208
        ]
    finally:
        os.close(opened)


def _entry(status: os.stat_result) -> Entry:
    identity = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_ctime_ns)
    return (
        identity if stat.S_ISDIR(status.st_mode) else (*identity, status.st_size, status.st_nlink)
    )


def _is_below_folders(path: bytes, entries: Listing) -> bool:
    """True where the folder above a path, which has been looked at already, is one."""
    above = entries.get(path.rpartition(b"/")[0])
    return above is not None and is_folder(above)


def _with_parents(path: bytes) -> Iterable[bytes]:
    yield path
    while path:
        path = path.rpartition(b"/")[0]
        yield path
