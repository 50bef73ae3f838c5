"""The host's own words at the start of a report: verdict, differences, what is missing, when it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits.model import (
    AuditResult,
    AuditState,
    Completeness,
    Coverage,
    ShardResult,
    ShardState,
)
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.outputs.summary import NextRun, Tone, Verdict
from claude_pool_gh.terms.severity import Severity
from tests.audits.make import DAY, START, defect, partial, plan, point, result, shard

OPEN = (
    defect(1, stated={"severity": "critical"}),
    defect(2, stated={"severity": "low"}),
    defect(3, stated={"severity": "low"}, state=AuditState.reappeared),
)
SETTLED = (defect(8, state=AuditState.fixed), defect(9, state=AuditState.dismissed))


@pytest.mark.parametrize(
    ("of", "tone", "text"),
    [
        (result(), Tone.clean, "nothing found in 1 file"),
        (result(*SETTLED), Tone.clean, "nothing found in 1 file"),
        (result(*OPEN), Tone.findings, "3 findings open: 1 critical, 2 low"),
        (
            partial(*OPEN),
            Tone.partial,
            "PARTLY AUDITED: 3 files not read; 3 findings open",
        ),
        (
            result(completeness=Completeness.partial),
            Tone.partial,
            "PARTLY AUDITED: not everything was settled; no finding open",
        ),
        (
            result(*OPEN[:1], completeness=Completeness.nothing),
            Tone.partial,
            "NOT AUDITED: no file was read; 1 finding open from earlier runs",
        ),
        (
            result(problems=("A report could not be read.",)),
            Tone.partial,
            "PARTLY AUDITED: not everything was settled; no finding open",
        ),
    ],
)
def test_a_verdict_says_what_is_missing_before_what_was_found(
    of: AuditResult, tone: Tone, text: str
) -> None:
    assert summary.verdict(of) == Verdict(tone, text)


def test_only_a_verdict_without_anything_missing_is_clean() -> None:
    missing: list[dict[str, Any]] = [
        {"problems": ("x",)},
        {"completeness": Completeness.partial},
        {"completeness": Completeness.nothing},
        {"findings": OPEN[:1]},
    ]
    for fields in missing:
        of = replace(result(), **fields)
        assert not of.is_clean
        assert summary.verdict(of).tone is not Tone.clean


def test_severities_are_told_worst_first_without_those_of_which_there_is_none() -> None:
    counts = {Severity.low: 2, Severity.critical: 1, Severity.high: 0}
    assert summary.severities(counts) == "1 critical, 2 low"
    assert summary.severities({}) == ""


def test_what_is_new_back_or_fixed_in_this_run_is_told() -> None:
    of = result(
        defect(1, state=AuditState.new),
        *(defect(number, state=AuditState.reappeared) for number in range(2, 12)),
        defect(20, state=AuditState.fixed, settled_ms=START),
        defect(21, state=AuditState.fixed, settled_ms=START - 1),
        defect(22, state=AuditState.open),
    )
    assert summary.since_last(of) == "1 new, 10 back again, 1 fixed"
    assert summary.fixed_now(of) == 1
    assert summary.since_last(result(*OPEN[:2])) == ""


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (result(), ["1 file read", "$3.25 of $20.00", "3 min 4 s"]),
        (partial(), ["1 of 4 files read", "$3.25 of $20.00", "3 min 4 s"]),
        (
            result(cost_is_bound=True, ended_ms=START - 5),
            ["1 file read", "≤ $3.25 of $20.00", "0.0 s"],
        ),
    ],
)
def test_what_was_read_and_what_it_took_is_told(of: AuditResult, told: list[str]) -> None:
    assert summary.facts(of) == told


def test_what_is_missing_is_counted_by_what_became_of_it() -> None:
    states = [
        ShardState.cut,
        ShardState.read,
        ShardState.failed,
        ShardState.cut,
        ShardState.not_started,
    ]
    five = plan(*(shard(number) for number in range(5)))
    shards = tuple(
        ShardResult(shard=each, state=state)
        for each, state in zip(five.shards, states, strict=True)
    )
    of = result(plan=five, coverage=Coverage(shards=shards), problems=("No money was left.",))
    assert summary.missing(of) == [
        "No money was left.",
        "1 part of 5 failed.",
        "2 parts of 5 ended early.",
        "1 part of 5 did not start.",
    ]
    assert summary.missing(result()) == []


def test_refuted_claims_are_counted_and_nothing_is_said_of_none() -> None:
    assert summary.not_shown(result()) == []
    told = summary.not_shown(result(refuted=1))
    assert told == ["1 claim refuted by a second agent that read the code"]


@pytest.mark.parametrize(
    ("timezone", "told"),
    [
        ("UTC", "1 December 2026, 00:00 UTC"),
        ("Europe/Berlin", "1 December 2026, 01:00 Europe/Berlin"),
        ("America/New_York", "30 November 2026, 19:00 America/New_York"),
    ],
)
def test_a_moment_is_told_in_the_time_zone_of_the_schedule(timezone: str, told: str) -> None:
    assert summary.day(START, timezone) == told


def test_findings_are_told_by_the_first_two_folders_of_their_paths() -> None:
    places = ("top.py", "a/x.py", "a/b/c/d.py", "a/b/y.py", "z/w/v.py")
    severities = ("low", "high", "low", "low", "critical")
    of = result(
        *(
            defect(number, stated={"path": path, "severity": severity})
            for number, (path, severity) in enumerate(zip(places, severities, strict=True))
        ),
        defect(9, stated={"path": "fixed/x.py"}, state=AuditState.fixed),
    )
    found = summary.folders(of)
    assert [(each.path, each.total) for each in found] == [
        ("z/w/", 1),
        ("a/", 1),
        ("a/b/", 2),
        ("./", 1),
    ]
    assert found[2].standing[Severity.low] == 2
    assert set(found[0].standing) == set(Severity), "each severity is there"


def test_a_table_shows_twenty_folders_and_counts_the_others() -> None:
    many = [defect(number, stated={"path": f"d{number:02}/x.py"}) for number in range(23)]
    shown, more = summary.fewer(summary.folders(result(*many)))
    assert ([each.path for each in shown[:2]], len(shown), more) == (["d00/", "d01/"], 20, 3)
    assert summary.fewer(summary.folders(result(*many[:20])))[1] == 0


def test_a_line_is_drawn_between_two_runs_and_of_the_newest_thirty() -> None:
    assert summary.trend(result()) == []
    assert summary.trend(result(history=(point(1),))) == []
    two = (point(1), point(2))
    assert summary.trend(result(history=two)) == list(two)
    many = tuple(point(number) for number in range(40))
    assert summary.trend(result(history=many)) == list(many[10:])


WEEK = NextRun(start_ms=START + 7 * DAY)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (None, []),
        (NextRun(start_ms=None), []),
        (WEEK, ["Next run: 8 December 2026, 00:00 UTC."]),
        (replace(WEEK, stopped_by="mona"), ["The schedule is stopped, by mona."]),
        (
            replace(WEEK, passed_ms=START, passed_why="nothing had changed"),
            [
                "Next run: 8 December 2026, 00:00 UTC.",
                "Nothing ran on 1 December 2026, 00:00 UTC: nothing had changed.",
            ],
        ),
        (
            NextRun(start_ms=None, missed=1),
            ["This run also stands for 1 due time before it that the server missed."],
        ),
    ],
)
def test_when_it_goes_on_and_what_did_not_come_of_due_times(
    run: NextRun | None, told: list[str]
) -> None:
    assert summary.when_next(run) == told


@pytest.mark.parametrize(
    ("alone", "told"),
    [(True, "To go on with what is left"), (False, "To read it again, what is left first")],
)
def test_what_the_command_reads_is_said_before_it(*, alone: bool, told: str) -> None:
    assert summary.going_on(result(resume_alone=alone)) == told


def test_shards_of_which_not_every_file_was_read_are_told_apart() -> None:
    states = [
        ShardResult(shard=shard(1), state=ShardState.read),
        ShardResult(shard=shard(2), state=ShardState.read, unopened=("shop/2.py",)),
        ShardResult(shard=shard(3), state=ShardState.not_started),
    ]
    of = result(coverage=Coverage(shards=tuple(states)))
    assert summary.not_whole(of) == states[1:]
    assert (of.coverage.files_read, of.coverage.files_unread) == (1, 2)
    assert (of.coverage.read, of.coverage.unread) == (("shop/1.py",), ("shop/2.py", "shop/3.py"))
    assert not of.coverage.whole
