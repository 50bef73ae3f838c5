"""Questions about files whose names somebody has written."""

from __future__ import annotations

from pathlib import Path


def is_file(path: Path) -> bool:
    """True where there is such a file; False also for a text that can be no name, such as a prompt."""
    try:
        return path.is_file()
    except OSError:
        return False
