"""The start of every report: the verdict in a sentence, the counts, what was not covered. Host's words only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditResult,
    AuditState,
    Completeness,
    HistoryPoint,
    ShardResult,
    ShardState,
    SkipReason,
)
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.severity import Severity

SEVERITIES: Final = tuple(reversed(Severity))
"""The worst first."""
_TREND_POINTS: Final = 30
_MOST_FOLDERS: Final = 20
_SHOWN_ID: Final = 10
_UNREADABLE: Final = (SkipReason.too_large, SkipReason.odd_name)
"""Reasons that say nothing of what stands in a file: it may be as good as any that is read."""


class Tone(StrEnum):
    """The way in which a verdict is to be taken."""

    clean = "clean"
    findings = "findings"
    partial = "partial"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an audit, in one sentence."""

    tone: Tone
    text: str


def going_on(result: AuditResult) -> str:
    """The words before the command that goes on: what it reads."""
    if result.resume_alone:
        return "To go on with what is left"
    return "To read it again, what is left first"


@dataclass(frozen=True, slots=True)
class Folder:
    """The open findings in a folder, by severity."""

    path: str
    standing: Mapping[Severity, int]

    @property
    def total(self) -> int:
        """All that stands in it."""
        return sum(self.standing.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRun:
    """The time of an audit's next run, and what came of its last due times."""

    start_ms: int | None
    """None: it has no schedule, or is stopped."""
    timezone: str = "UTC"
    cron: str = ""
    stopped_by: str = ""
    """Who stopped it; "" where it goes on."""
    passed_ms: int = 0
    """The last due time at which nothing ran; 0: there was none since the last run."""
    passed_why: str = ""
    missed: int = 0
    """Due times before this run that nobody was there for; they were made up for by this one."""


def verdict(result: AuditResult) -> Verdict:
    """The verdict. It is never clean where anything is missing: what is missing says nothing."""
    standing, read = len(result.standing), result.coverage.files_read
    unread = result.coverage.files_unread
    found = f"{count(standing, 'finding')} open" if standing else "no finding open"
    if result.completeness is Completeness.nothing:
        return Verdict(Tone.partial, f"NOT AUDITED: no file was read; {found} from earlier runs")
    if result.completeness is Completeness.partial or not (standing or result.is_clean):
        left = ((unread, "file", "read"), (result.unjudged, "claim", "settled"))
        what = [f"{count(number, one)} not {done}" for number, one, done in left if number]
        told = ", ".join(what) or "not everything was settled"
        return Verdict(Tone.partial, f"PARTLY AUDITED: {told}; {found}")
    if standing:
        return Verdict(Tone.findings, f"{found}: {severities(result.by_severity())}")
    return Verdict(Tone.clean, f"nothing found in {count(read, 'file')}{_unreadable(result)}")


def _unreadable(result: AuditResult) -> str:
    """The files of which a clean audit says nothing, although they may hold what others hold."""
    reasons = {why: n for why, n in result.coverage.reasons().items() if why in _UNREADABLE}
    told = ", ".join(f"{number} {why.value}" for why, number in reasons.items())
    return f"; {count(sum(reasons.values()), 'file')} cannot be read ({told})" if told else ""


def severities(counts: Mapping[Severity, int]) -> str:
    """`1 critical, 2 high`: the worst first, without those of which there is none."""
    return ", ".join(f"{counts[each]} {each}" for each in SEVERITIES if counts.get(each))


def since_last(result: AuditResult) -> str:
    """The differences from the run before; "" where there are none."""
    parts = [
        f"{len(result.in_state(AuditState.new))} new",
        f"{len(result.in_state(AuditState.reappeared))} back again",
        f"{fixed_now(result)} fixed",
    ]
    return ", ".join(part for part in parts if not part.startswith("0 "))


def fixed_now(result: AuditResult) -> int:
    """Findings that this run judged fixed."""
    fixed = result.in_state(AuditState.fixed)
    return sum(each.settled_ms >= result.started_ms for each in fixed)


def facts(result: AuditResult) -> list[str]:
    """The amount that was read, and what that took."""
    coverage, plan = result.coverage, result.plan
    planned = coverage.files_read + coverage.files_unread
    read = f"{count(coverage.files_read, 'file')} read"
    if coverage.files_unread:
        read = f"{coverage.files_read} of {count(planned, 'file')} read"
    cost = dollars(result.cost, upper_bound=result.cost_is_bound)
    took = duration(max(0, result.ended_ms - result.started_ms))
    return [read, f"{cost} of {dollars(plan.budget)}", took]


def day(ms: int, timezone: str = "UTC") -> str:
    """A moment as people write it, to the minute."""
    moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZoneInfo(timezone))
    return f"{moment.day} {moment:%B %Y}, {moment:%H:%M} {timezone}"


def missing(result: AuditResult) -> list[str]:
    """The reasons why it is not complete, in sentences."""
    states = Counter(each.state for each in result.coverage.shards)
    lines = [
        f"{count(states[state], 'part')} of {len(result.coverage.shards)} {word}."
        for state, word in (
            (ShardState.failed, "failed"),
            (ShardState.cut, "ended early"),
            (ShardState.not_started, "did not start"),
        )
        if states[state]
    ]
    return [*result.problems, *lines]


def not_whole(result: AuditResult) -> list[ShardResult]:
    """The shards of which not every file was read."""
    shards = result.coverage.shards
    return [each for each in shards if each.state is not ShardState.read or each.unopened]


def not_shown(result: AuditResult) -> list[str]:
    """Claims that are counted and not listed, and keep nothing from being clean."""
    told = f"{count(result.refuted, 'claim')} refuted by a second agent that read the code"
    return [told] if result.refuted else []


def folders(result: AuditResult) -> list[Folder]:
    """The places of open findings: the first two folders of their paths, those with the most serious ones first."""
    found: dict[str, Counter[Severity]] = {}
    for each in result.standing:
        found.setdefault(_folder(each.finding.path), Counter())[each.severity] += 1
    every = [
        Folder(path, {severity: counts[severity] for severity in SEVERITIES})
        for path, counts in found.items()
    ]
    every.sort(key=lambda one: (*(-one.standing[each] for each in SEVERITIES), one.path))
    return every


def fewer(every: Sequence[Folder]) -> tuple[list[Folder], int]:
    """As many folders as a table shows, and how many more there are."""
    return list(every[:_MOST_FOLDERS]), max(0, len(every) - _MOST_FOLDERS)


def trend(result: AuditResult) -> list[HistoryPoint]:
    """The newest runs that a chart shows; none where there is no line to draw."""
    points = list(result.history[-_TREND_POINTS:])
    return points if len(points) > 1 else []


def short(finding: AuditFinding) -> str:
    """The id that people copy."""
    return finding.id[:_SHOWN_ID]


def when_next(next_run: NextRun | None) -> list[str]:
    """The time of the next run, and what did not come of due times, in sentences."""
    if next_run is None:
        return []
    lines = []
    if next_run.stopped_by:
        lines.append(f"The schedule is stopped, by {next_run.stopped_by}.")
    elif next_run.start_ms is not None:
        lines.append(f"Next run: {day(next_run.start_ms, next_run.timezone)}.")
    if next_run.passed_ms:
        passed = day(next_run.passed_ms, next_run.timezone)
        lines.append(f"Nothing ran on {passed}: {next_run.passed_why}.")
    if next_run.missed:
        lines.append(
            f"This run also stands for {count(next_run.missed, 'due time')} before it that the server missed."
        )
    return lines


def _folder(path: str) -> str:
    parts = path.split("/")[:-1]
    return "/".join(parts[:2]) + "/" if parts else "./"
