"""Ends that the job does not choose: a cancel, a shutdown, its own deadline."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Final

CANCELLED: Final = "the job was cancelled"
_WORDS: Final = {signal.SIGINT: CANCELLED, signal.SIGTERM: "the job was ended by its runner"}


@dataclass(slots=True)
class Stop:
    """The reason why this process should end, if it should.

    Signals are heard from the first moment, imports included.
    """

    reason: str = ""
    is_by_deadline: bool = False
    """Whether it is the job's own deadline: then there is time to end well."""
    is_cancelled: bool = False
    """Whether a signal has come."""
    began: float = field(default_factory=time.monotonic)

    def listen(self) -> None:
        """Hear SIGINT and SIGTERM from now on, as often as they come: the runner sends both."""
        for number in _WORDS:
            signal.signal(number, self._heard)

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        self.is_cancelled = True
        self.reason = self.reason or _WORDS[signal.Signals(number)]

    def is_due(self, deadline_seconds: float) -> bool:
        """True where to end now. The job's own deadline comes before the runner's, which leaves no time to say so."""
        if not self.reason and time.monotonic() - self.began > deadline_seconds:
            self.is_by_deadline = True
            self.reason = (
                f"the job's own deadline of {deadline_seconds / 60:.0f} minutes has passed"
            )
        return bool(self.reason)
