"""Runs a command's coroutine so that Ctrl-C, also an impatient one, lets it tidy up.

`asyncio.run` raises KeyboardInterrupt at a second Ctrl-C wherever the loop stands: what tidies up is broken off there,
and may wait for ever for a task that is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, Final, TypeVar

from claude_pool_gh.service.ending import ending
from claude_pool_gh.service.plain import echo

_SAME_SECONDS: Final = 2.0
"""What comes again so soon is the same: a person who presses twice, a wrapper that passes on what its group got too."""
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result. The first signal cancels, and one that comes later ends the process at once, as a kill would."""
    before = signal.getsignal(signal.SIGINT)
    try:
        return asyncio.run(_listening(main))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, before)


async def _listening(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs
    with suppress(ValueError):
        signal.signal(signal.SIGINT, _Interrupts(task).hear)
    return await main


class _Interrupts:
    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task, self._loop = task, asyncio.get_running_loop()
        self._first = 0.0

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        """Called as soon as it comes, also while the loop does not get on."""
        now = time.monotonic()
        if not self._first:
            self._first = now
            self._task.cancel()
            self._loop.call_soon_threadsafe(self._loop.call_later, _SAME_SECONDS, _tell)
        elif now > self._first + _SAME_SECONDS:
            os._exit(ending.exit_code)


def _tell() -> None:
    echo("ending what runs; Ctrl-C again ends at once", err=True)
