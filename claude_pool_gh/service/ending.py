"""`kill` and a terminal that closes end a command as Ctrl-C does, so that it tidies up first."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Final

_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
_CTRL_C: Final = {signal.SIGINT}
_STREAMS: Final = (0, 1, 2)


class Ending:
    """Which signal ended this process's command."""

    def __init__(self) -> None:
        self.number: int = signal.SIGINT
        self.in_background = False
        """Started in the background of a script: Ctrl-C in its terminal is meant for others."""
        self._screens: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """As a shell counts: 130 for Ctrl-C, 143 for `kill`, 129 for a terminal that closed."""
        return 128 + self.number

    def listen(self) -> None:
        """Hear of those signals that nobody ignores or handles already: `nohup` keeps its meaning.

        A script has its background jobs ignore Ctrl-C. It is blocked there instead: what is ignored gets no handler of
        asyncio's, through which `kill` ends tasks.
        """
        with suppress(ValueError):  # not the main thread
            if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
                self.in_background = True
                signal.pthread_sigmask(signal.SIG_BLOCK, _CTRL_C)
                signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in _ENDS:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._screens = tuple(each for each in _STREAMS if os.isatty(each))
                    signal.signal(number, self._end)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        if number == signal.SIGHUP:  # what is written there fails from now on
            nowhere = os.open(os.devnull, os.O_RDWR)
            for screen in self._screens:
                os.dup2(nowhere, screen)
        before = signal.pthread_sigmask(signal.SIG_UNBLOCK, _CTRL_C)
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


ending: Final = Ending()
