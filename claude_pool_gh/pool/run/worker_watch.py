"""Which workers on one database are alive, judged without comparing two machines' clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from claude_pool_gh.storage.owners import is_gone


@dataclass(slots=True)
class WorkerWatch:
    """Remembers when each worker's count last grew, by this process's own steady clock."""

    silence: float
    """Seconds without a beat after which a worker counts as dead."""
    clock: Callable[[], float] = time.monotonic
    seen: dict[str, tuple[int, float]] = field(default_factory=dict)
    looked: float | None = None

    def living(self, beats: Mapping[str, int]) -> set[str]:
        """The workers that are not known to be dead. One that was never seen before gets its time.

        So does everybody after a time in which this process could not look: whatever kept it from looking, such as a
        database that was away, may have kept the others from beating.
        """
        now = self.clock()
        blind = 0.0 if self.looked is None else max(0.0, now - self.looked - self.silence / 2)
        self.looked = now
        self.seen = {worker: self._look(worker, beat, now, blind) for worker, beat in beats.items()}
        return {
            worker
            for worker, (_, since) in self.seen.items()
            if now - since < self.silence and not is_gone(worker)
        }

    def _look(self, worker: str, beat: int, now: float, blind: float) -> tuple[int, float]:
        before = self.seen.get(worker)
        return (beat, now) if before is None or before[0] != beat else (beat, before[1] + blind)
