"""The streams that a command gets, such as one that is closed, or of a terminal that knows little."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

_FAIL: Final = ("strict", "surrogateescape")
"""What Python does by default about a character that an encoding does not have: it raises."""


def prepare() -> None:
    """A question without an input finds its end, and what a stream's encoding does not have is shown as `?`."""
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _FAIL:
            stream.reconfigure(errors="replace")


def colors() -> bool | None:
    """False where the terminal or its user wants none (https://no-color.org); else as the stream is."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return False if unwanted else None
