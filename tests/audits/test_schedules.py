"""Due times: five fields, a named zone, both nights of a change of clocks, and what is refused in words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from claude_pool_gh.terms.schedules import Schedule, parsed

HOUR = 3_600_000


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def dues(schedule: Schedule, first: str, last: str) -> list[str]:
    """The due times from one local time to another, as the clock on the wall shows them."""
    found, at = [], ms(first, schedule.timezone)
    while (due := schedule.next_after(at)) is not None and due <= ms(last, schedule.timezone):
        at = due
        moment = datetime.fromtimestamp(due / 1000, ZoneInfo(schedule.timezone))
        found.append(moment.strftime("%d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "days", "expected"),
    [
        # the hour from 2 to 3 is skipped: a fixed time comes after it, once
        ("30 2 * * *", "Europe/Berlin", ("2026-03-29", "2026-03-30"), ["29 03:00 +0200"]),
        # it is doubled: a fixed time comes once
        ("30 2 * * *", "Europe/Berlin", ("2026-10-25", "2026-10-26"), ["25 02:30 +0200"]),
        (
            "0 0 * * *",
            "America/Santiago",
            ("2026-09-05 12:00", "2026-09-06 12:00"),
            ["06 01:00 -0300"],
        ),
        # half an hour is skipped, and doubled
        ("15 2 * * *", "Australia/Lord_Howe", ("2026-10-04", "2026-10-05"), ["04 02:30 +1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", ("2026-04-05", "2026-04-06"), ["05 01:45 +1100"]),
        ("0 12 * * *", "UTC", ("2026-02-28", "2026-03-02"), ["28 12:00 +0000", "01 12:00 +0000"]),
        # both fields of a day: either will do
        ("0 0 1 * MON", "UTC", ("2025-12-31", "2026-01-06"), ["01 00:00 +0000", "05 00:00 +0000"]),
        ("0 0 L * *", "UTC", ("2028-02-01", "2028-03-01"), ["29 00:00 +0000"]),
    ],
)
def test_due_times_are_those_of_the_clock_on_the_wall(
    cron: str, zone: str, days: tuple[str, str], expected: list[str]
) -> None:
    assert dues(parsed(cron, zone), *days) == expected


def test_every_hour_comes_in_both_hours_that_a_clock_shows_twice() -> None:
    found = dues(parsed("0 * * * *", "Europe/Berlin"), "2026-10-25 01:30", "2026-10-25 03:30")
    assert found == ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("* * * * * *", "UTC", "has 6 fields; a schedule has five"),
        ("@daily", "UTC", "a schedule has five"),
        ("", "UTC", "has 0 fields"),
        ("61 * * * *", "UTC", "bad minute"),
        ("0 0 31 2 *", "UTC", "bad day-of-month"),
        ("0 4 * * *", "Berlin", "'Berlin' is no time zone, such as 'Europe/Berlin'"),
        ("0 4 * * *", "", "is no time zone"),
        ("0 4 * * *", "Europe", "is no time zone"),
        ("0 4 * * *", "../../etc/passwd", "is no time zone"),
        ("*/5 * * * *", "UTC", "is due every 5 minutes; at least 15"),
        ("0,50 * * * *", "UTC", "is due every 10 minutes"),
        ("50,0 23,0 * * *", "UTC", "is due every 10 minutes"),
        ("0 4 * * " + "1," * 60 + "2", "UTC", "at most 100 characters"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(cron: str, zone: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        parsed(cron, zone)


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [
        ("*/15 * * * *", 15),
        ("0 * * * *", 60),
        ("0 0,23 * * *", 60),
        ("50 3 * * *", 1440),
        ("0,40 4 * * *", 40),
        ("0 4,6 * * *", 120),
    ],
)
def test_the_shortest_gap_is_known(cron: str, minutes: int) -> None:
    assert parsed(cron, "UTC").shortest_gap.total_seconds() == minutes * 60


def test_due_times_that_were_missed_are_counted_and_the_newest_is_named() -> None:
    daily = parsed("0 4 * * *", "UTC")
    found = daily.due_between(ms("2026-01-01 05:00"), ms("2026-01-06 12:00"))
    assert found is not None
    assert (found.ms, found.missed) == (ms("2026-01-06 04:00"), 4)
    assert daily.due_between(ms("2026-01-06 04:00"), ms("2026-01-06 12:00")) is None


def test_years_of_missed_due_times_cost_no_more_than_some_days() -> None:
    quarters = parsed("*/15 * * * *", "UTC")
    found = quarters.due_between(ms("2016-01-01"), ms("2026-01-06 12:07"))
    assert found is not None
    assert (found.ms, found.missed) == (ms("2026-01-06 12:00"), 999)
