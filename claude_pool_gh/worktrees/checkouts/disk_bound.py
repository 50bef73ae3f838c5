"""Keeps the checkouts of all repositories together below a bound on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import uuid4

from claude_pool_gh.worktrees.checkouts import lock
from claude_pool_gh.worktrees.checkouts.listing import size_of
from claude_pool_gh.worktrees.checkouts.removal import remove
from claude_pool_gh.worktrees.checkouts.sealed import SealedRecord, put

TRASH: Final = ".trash-"


def note(place: Path, was: SealedRecord) -> None:
    """Write down what is looked at before a lock is taken: the commit, and the bytes of all files."""
    put(place / "about", f"{was.commit} {size_of(was.entries)}".encode())


def about(place: Path) -> tuple[str, int]:
    """Commit and bytes of a checkout; what counts of them is its sealed list."""
    try:
        commit, size = (place / "about").read_text(encoding="ascii").split()
        return commit, int(size)
    except (OSError, ValueError):
        return "", 0


def keep_below(folder: Path, most_bytes: int) -> int:
    """Remove checkouts that nobody has, of whichever repository, those used longest ago first; how many.

    `folder` has a folder for each repository.
    """
    places = [place for place in folder.glob("*/*") if not place.name.startswith(".")]
    sizes = {place: about(place)[1] for place in sorted(places, key=lock.last_use)}
    left, removed = sum(sizes.values()), 0
    for place, size in sizes.items():
        if left <= most_bytes:
            break
        if (held := lock.take(place, exclusive=True)) is None:
            continue
        trash = place.parent / f"{TRASH}{uuid4().hex[:12]}"
        try:
            place.rename(trash)
        except OSError:  # somebody else was quicker
            continue
        finally:
            held.release()
        remove(trash)
        left -= size
        removed += 1
    return removed
