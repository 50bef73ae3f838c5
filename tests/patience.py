"""The one limit of the tests' own waits, and a wait."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

PATIENCE: Final = float(os.environ.get("TESTS_PATIENCE", "90"))
"""Seconds after which what a test waits for will not come; nothing is measured with it.

Long enough for a machine with six times the work that it has cores for. `tests/guards` shortens it
where a test is meant to fail.
"""


async def until(holds: Callable[[], object], pause: float = 0.05) -> None:
    """Wait until something is so, or long enough; whoever asks says next what it should be."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while not holds() and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(pause)
