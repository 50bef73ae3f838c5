"""What a schedule leads to: one run for all that was missed, none beside another, none where nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_pool_gh.audits.schedule import (
    FORCED_EVERY,
    WINDOW_MS,
    Begin,
    NotDue,
    PassedOver,
    PassOver,
    ScheduleRecord,
    decide,
    digest_of,
    next_start,
    scatter_ms,
    unless_unchanged,
)
from claude_pool_gh.terms.schedules import parsed
from tests.audits.test_schedules import HOUR, ms

DAILY = parsed("0 4 * * *", "UTC")
SEEN = ScheduleRecord(last_due_ms=ms("2026-01-01 10:00"))


def at(text: str) -> int:
    return ms(f"2026-01-{text}")


def test_nothing_is_due_before_the_first_due_time_after_it_was_seen() -> None:
    assert decide(DAILY, SEEN, at("01 10:01"), 0) == NotDue(at("02 04:00"))


def test_a_due_time_begins_a_run() -> None:
    assert decide(DAILY, SEEN, at("02 04:00"), 0) == Begin(at("02 04:00"), 0)


def test_five_missed_due_times_are_one_run() -> None:
    assert decide(DAILY, SEEN, at("06 09:00"), 0) == Begin(at("06 04:00"), 4)


def test_a_run_starts_its_own_delay_after_the_due_time() -> None:
    delay = 17 * 60_000
    assert decide(DAILY, SEEN, at("02 04:16"), delay) == NotDue(at("02 04:17"))
    assert decide(DAILY, SEEN, at("02 04:17"), delay) == Begin(at("02 04:00"), 0)


def test_a_clock_that_is_set_back_repeats_nothing() -> None:
    done = replace(SEEN, last_due_ms=at("02 04:00"))
    assert decide(DAILY, done, at("02 02:30"), 0) == NotDue(at("03 04:00"))
    assert decide(DAILY, done, at("02 04:00"), 0) == NotDue(at("03 04:00"))


def test_a_run_that_goes_on_is_not_joined_by_another() -> None:
    running = replace(SEEN, live_run="schedule:5:defects")
    expected = PassOver(at("02 04:00"), 0, PassedOver.running)
    assert decide(DAILY, running, at("02 04:00"), 0) == expected


def test_what_is_stopped_is_not_due() -> None:
    stopped = replace(SEEN, stopped=True)
    assert decide(DAILY, stopped, at("09 04:00"), 0) == NotDue(None)
    assert next_start(DAILY, stopped, at("09 04:00"), 0) is None


def test_where_nothing_changed_nothing_runs_but_not_for_ever() -> None:
    record = replace(SEEN, digest="d" * 64)
    due = Begin(at("02 04:00"), 0)
    assert unless_unchanged(due, record, "e" * 64) == due
    unchanged = PassOver(at("02 04:00"), 0, PassedOver.unchanged)
    assert unless_unchanged(due, record, "d" * 64) == unchanged
    late = replace(record, unchanged=FORCED_EVERY - 2)
    assert unless_unchanged(due, late, "d" * 64) == unchanged
    assert unless_unchanged(due, replace(late, unchanged=FORCED_EVERY - 1), "d" * 64) == due


def test_a_fleet_does_not_start_in_the_same_minute_and_each_keeps_its_own() -> None:
    starts = [scatter_ms(DAILY, number, "defects") for number in range(1, 301)]
    assert starts == [scatter_ms(DAILY, number, "defects") for number in range(1, 301)]
    assert all(0 <= each < WINDOW_MS for each in starts)
    minutes = [each // 60_000 for each in starts]
    assert max(minutes.count(minute) for minute in set(minutes)) < 30
    assert len(set(minutes)) > 25
    assert scatter_ms(DAILY, 1, "defects") != scatter_ms(DAILY, 1, "security")


@pytest.mark.parametrize("number", range(1, 40))
def test_the_delay_ends_before_half_of_the_shortest_gap(number: int) -> None:
    assert scatter_ms(parsed("*/15 * * * *", "UTC"), number, "defects") < HOUR // 8


def test_what_was_to_be_read_is_told_apart_by_every_part_of_it() -> None:
    first = digest_of({"src": "a", "": "b"}, "r")
    assert first == digest_of({"": "b", "src": "a"}, "r")
    others = [digest_of({"src": "b", "": "a"}, "r"), digest_of({"src": "a", "": "b"}, "s")]
    assert len({first, *others}) == 3
