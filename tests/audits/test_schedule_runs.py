"""A schedule over a long time: whatever is missed, stopped or set back, each due time leads to one thing at most."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

HOURLY = parsed("0 * * * *", "UTC")
T0 = ms("2026-01-01 00:30")
DELAY = 7 * 60_000


@dataclass
class Audit:
    """An audit as the rows keep it, and what was decided of it."""

    record: ScheduleRecord = field(default_factory=lambda: ScheduleRecord(last_due_ms=T0))
    begun: list[int] = field(default_factory=list)
    dealt_with: int = 0

    def look(self, now: int) -> None:
        """One look at a moment, and what the rows make of the decision."""
        decision = decide(HOURLY, self.record, now, DELAY)
        if isinstance(decision, NotDue):
            assert decision.next_ms is None or decision.next_ms > now
            return
        assert self.record.last_due_ms < decision.due_ms <= now - DELAY
        self.dealt_with += decision.missed + 1
        self.record = replace(self.record, last_due_ms=decision.due_ms)
        if isinstance(decision, Begin):
            self.begun.append(decision.due_ms)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(-3 * HOUR, 9 * HOUR), min_size=1, max_size=25))
def test_each_due_time_is_dealt_with_once_however_the_clock_goes(steps: list[int]) -> None:
    audit, now, latest = Audit(), T0, T0
    for step in steps:
        now = max(T0, now + step)
        latest = max(latest, now)
        audit.look(now)
        audit.look(now)
    assert audit.begun == sorted(set(audit.begun))
    assert audit.dealt_with == max(0, (latest - DELAY - (T0 - HOUR // 2)) // HOUR)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 400 * HOUR), st.integers(0, 20 * 60_000))
def test_what_is_told_to_come_next_is_when_it_comes(passed: int, delay: int) -> None:
    record = ScheduleRecord(last_due_ms=T0)
    decision = decide(HOURLY, record, T0 + passed, delay)
    done = record if isinstance(decision, NotDue) else replace(record, last_due_ms=decision.due_ms)
    start = next_start(HOURLY, done, T0 + passed, delay)
    assert start is not None
    assert isinstance(decide(HOURLY, done, start - 1, delay), NotDue)
    assert decide(HOURLY, done, start, delay) == Begin(start - delay, 0)


def test_a_run_that_goes_on_is_told_of_every_due_time_that_it_outlasts() -> None:
    running = ScheduleRecord(last_due_ms=T0, live_run="c1")
    late = decide(HOURLY, running, T0 + 3 * HOUR, 0)
    assert late == PassOver(ms("2026-01-01 03:00"), 2, PassedOver.running)


def test_a_stopped_audit_is_not_even_told_that_it_runs() -> None:
    stopped = ScheduleRecord(last_due_ms=T0, live_run="c1", stopped=True)
    assert decide(HOURLY, stopped, T0 + 9 * HOUR, 0) == NotDue(None)


@pytest.mark.parametrize("unchanged", range(FORCED_EVERY + 2))
def test_where_nothing_changes_every_eighth_due_time_runs_all_the_same(unchanged: int) -> None:
    record = ScheduleRecord(last_due_ms=T0, digest="d", unchanged=unchanged)
    begin = Begin(T0 + HOUR, 3)
    told = unless_unchanged(begin, record, "d")
    assert told == (
        begin
        if unchanged >= FORCED_EVERY - 1
        else PassOver(begin.due_ms, begin.missed, PassedOver.unchanged)
    )
    assert unless_unchanged(begin, record, "other") == begin
    assert unless_unchanged(begin, replace(record, digest=""), "d") == begin


def test_a_delay_is_each_repositorys_own_and_within_its_window() -> None:
    delays = {scatter_ms(HOURLY, number, "defects") for number in range(1, 200)}
    assert len(delays) > 190
    assert max(delays) < WINDOW_MS
    assert max(delays) > WINDOW_MS * 9 // 10, "all of the window is used"
    assert scatter_ms(HOURLY, 1, "a") != scatter_ms(HOURLY, 1, "b")


def test_a_digest_does_not_depend_on_the_order_and_tells_names_from_content() -> None:
    assert digest_of({"a": "1", "b": "2"}, "r") == digest_of({"b": "2", "a": "1"}, "r")
    others = [
        digest_of({"a": "2", "b": "1"}, "r"),
        digest_of({"a": "1"}, "r"),
        digest_of({}, "r"),
        digest_of({}, ""),
        digest_of({"a\udcff": ""}, "r"),
    ]
    assert len({digest_of({"a": "1", "b": "2"}, "r"), *others}) == 6
    assert all(len(each) == 64 for each in others)
