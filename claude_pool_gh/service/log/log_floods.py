"""A handler that writes a few lines a minute about one thing, and then how many it has left out.

What is tried again and again while something is away, such as a database, would otherwise fill a disk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TextIO

from claude_pool_gh.service.log.outages import outage

LINES_A_MINUTE: Final = 5
"""About one thing: one logger's message, with one kind of error."""
OUTAGE: Final = "outage"
"""In the place of a logger's name: a full disk or a missing database stops every part at once, and one line says it."""
_MINUTE: Final = 60.0
_THINGS: Final = 1_000
EACH: Final = frozenset(
    {"chain_ended", "chain_parked", "command_handled", "effect_refused", "run_ended"}
)
"""Actions that are bounded by work: every line of them counts, however many there are."""

Thing = tuple[str, str, str]


@dataclass(slots=True)
class _Minute:
    began: float
    written: int = 0
    left_out: int = 0


@dataclass(slots=True)
class FloodGate:
    """Decides which warnings and errors are written."""

    most: int = LINES_A_MINUTE
    _minutes: dict[Thing, _Minute] = field(default_factory=dict)

    def admits(self, record: logging.LogRecord, now: float) -> bool:
        """True where a record is to be written. `now`: seconds of any clock that only goes forward."""
        if record.levelno < logging.WARNING or getattr(record, "action", "") in EACH:
            return True
        thing = _thing(record)
        minute = self._minutes.get(thing)
        if minute is None:
            if len(self._minutes) >= _THINGS:
                self._minutes.clear()
            minute = self._minutes[thing] = _Minute(now)
        if minute.written < (1 if thing[0] == OUTAGE else self.most):
            minute.written += 1
            return True
        minute.left_out += 1
        return False

    def over(self, now: float) -> Iterator[tuple[Thing, int]]:
        """The things whose minute is over, with how many lines were left out in it, if any were."""
        for thing, minute in list(self._minutes.items()):
            if now - minute.began >= _MINUTE:
                del self._minutes[thing]
                if minute.left_out:
                    yield thing, minute.left_out


class SparingHandler(logging.StreamHandler[TextIO]):
    """Writes to a stream what its gate admits."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._gate, self._clock = FloodGate(), clock

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless there were enough of its kind in this minute."""
        now = self._clock()
        for (name, message, kind), count in self._gate.over(now):
            super().emit(_summary(name, message, kind, count))
        if self._gate.admits(record, now):
            super().emit(record)


def _thing(record: logging.LogRecord) -> Thing:
    kind, error = record.exc_info[:2] if record.exc_info else (None, None)
    if (told := outage(error)) is not None:
        return OUTAGE, told.do, ""
    return record.name, str(record.msg), kind.__name__ if kind is not None else ""


def _summary(name: str, message: str, kind: str, count: int) -> logging.LogRecord:
    told = {"action": "lines_left_out", "left_out": count, "of": message, "error": kind}
    text = "lines of one kind were left out"
    return logging.makeLogRecord(
        {"name": name, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text} | told
    )
