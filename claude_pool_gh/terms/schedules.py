"""Times that come again and again: five fields of cron, in a time zone that is named.

Where clocks change, a fixed time that is skipped comes at the next time that there is, and one that is doubled comes
once; minutes or hours that are written as `*` follow the clock on the wall. That is how Debian's cron does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

SHORTEST_MINUTES: Final = 15
"""Between two due times. What comes more often costs more than anybody reads."""
_MOST_CHARACTERS: Final = 100
_MINUTE: Final = timedelta(minutes=1)
_MOST_COUNTED: Final = 1000
_DAYS_MS: Final = 2 * 86_400_000


@dataclass(frozen=True, slots=True)
class Due:
    """A due time that has come."""

    ms: int
    missed: int
    """Earlier due times at which nothing was done; at most 999 are counted."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Due times. `parsed` makes one; times are milliseconds since 1970."""

    cron: str
    timezone: str

    def next_after(self, after_ms: int) -> int | None:
        """The first due time later than that; None where there is none within fifty years."""
        return next(self._later(after_ms), None)

    def due_between(self, after_ms: int, until_ms: int) -> Due | None:
        """The newest due time after the one and not after the other; None where there is none."""
        found = list(islice(self._within(after_ms, until_ms), _MOST_COUNTED))
        if not found:
            return None
        newest = found[-1]
        if len(found) == _MOST_COUNTED:  # of years, only the last days are of interest
            newest = max(self._within(max(newest, until_ms - _DAYS_MS), until_ms), default=newest)
        return Due(newest, len(found) - 1)

    @property
    def shortest_gap(self) -> timedelta:
        """The shortest time between two due times that the fields allow, as if every day were one of its days."""
        read = CronSim(self.cron, datetime(2026, 1, 1, tzinfo=UTC))
        minutes, hours = sorted(read.minutes), read.hours
        within = [later - earlier for earlier, later in pairwise(minutes)]
        follow = [
            (later - earlier) % 24 for earlier, later in pairwise([*sorted(hours), min(hours)])
        ]
        across = [(each or 24) * 60 - minutes[-1] + minutes[0] for each in follow]
        return min(within + across) * _MINUTE

    def in_words(self) -> str:
        """The schedule as people say it, such as "At 04:00 on Monday"."""
        return CronSim(self.cron, datetime(2026, 1, 1, tzinfo=UTC)).explain()

    def _within(self, after_ms: int, until_ms: int) -> Iterator[int]:
        return takewhile(lambda due: due <= until_ms, self._later(after_ms))

    def _later(self, after_ms: int) -> Iterator[int]:
        begin = _moment(after_ms, self.timezone)
        for each in CronSim(self.cron, begin):
            if (due := _ms(each)) > after_ms:
                yield due


@lru_cache(maxsize=256)
def parsed(cron: str, timezone: str) -> Schedule:
    """The schedule. Raises ValueError that says what is wrong with it."""
    fields = cron.split()
    if len(cron) > _MOST_CHARACTERS:
        raise ValueError(f"a schedule has at most {_MOST_CHARACTERS} characters")
    if len(fields) != 5:
        has = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        raise ValueError(
            f"{cron!r} has {has}; a schedule has five: minute, hour, day of the month, month, day of the week, "
            "such as '0 4 * * MON'"
        )
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a name can also lead to a folder
        raise ValueError(
            f"{timezone!r} is no time zone, such as 'Europe/Berlin' or 'UTC'"
        ) from None
    schedule = Schedule(" ".join(fields), timezone)
    try:
        first = schedule.next_after(0)
        gap = schedule.shortest_gap
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no schedule: {error}".replace("Bad", "bad")) from None
    if first is None:
        raise ValueError(f"{cron!r} is a date that never comes")
    if gap < SHORTEST_MINUTES * _MINUTE:
        minutes = int(gap / _MINUTE)
        raise ValueError(
            f"{cron!r} is due every {minutes} minutes; at least {SHORTEST_MINUTES} must lie between two due times"
        )
    return schedule


def _moment(ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
