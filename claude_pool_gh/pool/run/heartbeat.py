"""Shows that a worker lives while its event loop is blocked: what blocks it is work, and nobody is to do it twice."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

logger = logging.getLogger(__name__)

_LATE: Final = 1.5
"""Times the usual pause between two beats of the loop."""
_LONGEST_SECONDS: Final = 600.0
"""A loop that does not come back for so long is as good as dead: others go on with its work."""


@dataclass(slots=True)
class Heartbeat:
    """A thread that beats in place of a loop that is late."""

    beat: Callable[[], None]
    """Called in the thread; it makes no worker that has left one again."""
    seconds: float
    """Between two beats of the loop."""
    longest: float = _LONGEST_SECONDS
    _beaten: float = field(default_factory=time.monotonic)
    """When the loop last beat."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Watch the loop from now on."""
        threading.Thread(target=self._watch, name="heartbeat", daemon=True).start()

    def note(self) -> None:
        """The loop has beaten itself."""
        self._beaten = time.monotonic()

    def end(self) -> None:
        """Beat no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self.seconds):
            late = time.monotonic() - self._beaten
            if not _LATE * self.seconds <= late < self.longest:
                continue
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - the next one may come through
                said = {"action": "beat_failed", "reason": type(error).__name__}
                logger.warning("not beaten", extra=said)
