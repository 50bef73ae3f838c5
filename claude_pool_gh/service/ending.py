"""`kill` and a terminal that closes end a command as Ctrl-C does, so that it tidies up first."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Final

_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
_STREAMS: Final = (0, 1, 2)


class Ending:
    """Which signal ended this process's command."""

    def __init__(self) -> None:
        self.number: int = signal.SIGINT
        self._screens: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """As a shell counts: 130 for Ctrl-C, 143 for `kill`, 129 for a terminal that closed."""
        return 128 + self.number

    def listen(self) -> None:
        """Hear of those signals that nobody ignores or handles already: `nohup` keeps its meaning."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            return  # a background job of a script: asyncio has no other way to end its tasks
        for number in _ENDS:
            with suppress(ValueError):  # not the main thread
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._screens = tuple(each for each in _STREAMS if os.isatty(each))
                    signal.signal(number, self._end)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        if number == signal.SIGHUP:  # what is written there fails from now on
            nowhere = os.open(os.devnull, os.O_RDWR)
            for screen in self._screens:
                os.dup2(nowhere, screen)
        signal.raise_signal(signal.SIGINT)


ending: Final = Ending()
