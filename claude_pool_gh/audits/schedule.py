"""The effect of a schedule at a moment: a run, a due time that is passed over, or nothing yet. Decisions only.

However many due times were missed, one run follows. All that a decision needs is in the record of the audit, so it is
the same in every process; which of several carries it out is settled in the database, see `schedule_rows`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from claude_pool_gh.terms.schedules import Schedule

WINDOW_MS: Final = 30 * 60_000
"""After a due time the repositories of a fleet start within so long, each at a moment of its own."""
FORCED_EVERY: Final = 8
"""An audit that runs only where something changed runs all the same at this due time in a row."""


class PassedOver(StrEnum):
    """The reason why nothing runs at a due time; in words that people read."""

    running = "the run before it had not ended"
    unchanged = "nothing had changed since the last run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRecord:
    """The facts that are known of an audit that has a schedule."""

    last_due_ms: int
    """The newest due time that was dealt with, or when the schedule was first seen: nothing before it is due."""
    generation: int = 0
    """Goes up with every run that begins."""
    live_run: str = ""
    """The run that goes on; "" where there is none."""
    stopped: bool = False
    stopped_by: str = ""
    digest: str = ""
    """Of everything that the last run was to read, and of what it was to do with it."""
    unchanged: int = 0
    """Due times in a row at which nothing had changed."""
    passed_ms: int = 0
    """The newest due time that was passed over; 0: none since the last run began."""
    passed_why: str = ""
    missed: int = 0
    """Due times that passed before the last run while nothing looked for them."""


@dataclass(frozen=True, slots=True)
class NotDue:
    """Nothing is to be done. `next_ms`: when that changes; None where it does not by itself."""

    next_ms: int | None


@dataclass(frozen=True, slots=True)
class Begin:
    """A run is to begin for a due time."""

    due_ms: int
    missed: int


@dataclass(frozen=True, slots=True)
class PassOver:
    """A due time is dealt with by doing nothing."""

    due_ms: int
    missed: int
    why: PassedOver


Decision = NotDue | Begin | PassOver


def scatter_ms(schedule: Schedule, repository_id: int, audit: str) -> int:
    """The delay of this repository's audit after each due time: the same every time, less than half a gap."""
    half = int(schedule.shortest_gap.total_seconds() * 500)
    digest = hashlib.sha256(f"{repository_id}\n{audit}".encode()).digest()
    return int.from_bytes(digest[:8]) % min(WINDOW_MS, half)


def decide(schedule: Schedule, record: ScheduleRecord, now_ms: int, scatter: int) -> Decision:
    """The decision what to do now. `scatter`: see `scatter_ms`. A clock that was set back repeats nothing."""
    if record.stopped:
        return NotDue(None)
    due = schedule.due_between(record.last_due_ms, now_ms - scatter)
    if due is None:
        return NotDue(next_start(schedule, record, now_ms, scatter))
    if record.live_run:
        return PassOver(due.ms, due.missed, PassedOver.running)
    return Begin(due.ms, due.missed)


def unless_unchanged(begin: Begin, record: ScheduleRecord, digest: str) -> Begin | PassOver:
    """The run, unless all that it would read is as the last one had it, and that was not so too often in a row."""
    if digest != record.digest or record.unchanged + 1 >= FORCED_EVERY:
        return begin
    return PassOver(begin.due_ms, begin.missed, PassedOver.unchanged)


def next_start(schedule: Schedule, record: ScheduleRecord, now_ms: int, scatter: int) -> int | None:
    """The time when the next run is to start, with its own delay; None where it is stopped, or nothing ever comes."""
    if record.stopped:
        return None
    due = schedule.next_after(max(record.last_due_ms, now_ms - scatter))
    return None if due is None else due + scatter


def digest_of(trees: dict[str, str], rest: str) -> str:
    """A digest of what an audit would read, and what it would do with it, in 64 hex digits.

    `trees`: the ids of its files or folders by path; `rest`: a digest of recipe, configuration and model.
    """
    lines = [f"{path}\0{tree}" for path, tree in sorted(trees.items())]
    return hashlib.sha256("\n".join([rest, *lines]).encode(errors="surrogateescape")).hexdigest()
