"""Removes a folder, however deep it is and whatever rights were taken from us in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def remove(place: Path) -> None:
    """Remove a folder, a file or a link, itself and not what it leads to. What cannot be removed stays.

    Python's own way gives up on folders that are nested deeper than its stack; `rm` and `chmod` do not.
    """
    if not place.is_dir() or place.is_symlink():
        place.unlink(missing_ok=True)
        return
    if not _run("rm", "-rf", "--one-file-system", place):
        _run("chmod", "-R", "u+rwX", place)
        _run("rm", "-rf", "--one-file-system", place)


def _run(*command: str | Path) -> bool:
    words = [*command[:-1], "--", command[-1]]
    done = subprocess.run(  # noqa: S603 - two fixed commands; a path can be no option
        words, check=False, capture_output=True, env={"PATH": os.environ.get("PATH", os.defpath)}
    )
    return done.returncode == 0
