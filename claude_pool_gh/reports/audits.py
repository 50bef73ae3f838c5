"""An audit in the tracking comment: its plan, or its counts and the worst of what it found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.findings.identity import fingerprint
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.views import AuditReport, Remark
from claude_pool_gh.reports.words import count, fold, linked, title
from claude_pool_gh.terms.markdown import SafeMarkdown

_LISTED: Final = 10
_REMARKS: Final = 20


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """An audit that has a schedule or runs now. `told`: sentences of the host's on when it runs."""

    name: str
    running: bool
    told: tuple[str, ...] = ()


def schedules(lines: Sequence[ScheduleLine]) -> SafeMarkdown:
    """The state of a repository's schedules."""
    if not lines:
        return SafeMarkdown(
            "No audit has a schedule here. One is set in the configuration: "
            '`audits: {defects: {schedule: {cron: "0 4 * * MON", timezone: UTC}}}`.'
        )
    return SafeMarkdown("\n".join(f"- {_schedule(line)}" for line in lines))


def _schedule(line: ScheduleLine) -> str:
    now = ["It is running now."] if line.running else []
    return " ".join([f"{code(line.name)}:", *now, *map(neutralize_line, line.told)])


def no_schedule(name: str) -> SafeMarkdown:
    """The reason why there is nothing to stop or to resume."""
    return SafeMarkdown(f"The audit {code(name)} has no schedule in the configuration.")


def is_live(name: str) -> SafeMarkdown:
    """The reason why an audit does not begin."""
    return SafeMarkdown(
        f"The audit {code(name)} is running already. Its report will say what it found; "
        "`/pool status` shows how far it is, and `/pool cancel` ends it."
    )


def headline(report: AuditReport) -> str:
    """The result in a line."""
    if report.planned:
        low, likely, high = report.cost
        return (
            f"Plan: {count(report.files_unread, 'file')} in {count(report.shards, 'part')}, "
            f"about {dollars(likely)} ({dollars(low)} to {dollars(high)})"
        )
    told = ((report.new, "new"), (report.reappeared, "back"), (report.fixed, "fixed"))
    counts = [f"{number} {word}" for number, word in told if number]
    still = report.total - report.new - report.reappeared
    counts += [f"{still} still open"] if still else []
    files = count(report.files_read, "file")
    if not counts:
        return f"Nothing found in {files}"
    worst = next((severity for severity, number in report.open if number), None)
    of_worst = f" (worst: {worst})" if worst is not None else ""
    return f"{', '.join(counts)}{of_worst} in {files} read"


def body(report: AuditReport, home: str, head: str) -> list[str]:
    """The lines below the headline."""
    parts = [_plan(report)] if report.planned else [*_counts(report), *_worst(report, home, head)]
    parts += [f"⚠️ {neutralize_line(each, 300)}" for each in report.problems[:_LISTED]]
    return [*parts, *_details(report)]


def progress(report: AuditReport) -> str:
    """The plan in a line, while it is carried out."""
    _, likely, _ = report.cost
    beyond = (
        f"; {count(report.beyond, 'file')} beyond the budget will not be read"
        if report.beyond
        else ""
    )
    return f"Estimate for everything: {dollars(likely)}{beyond}."


def _plan(report: AuditReport) -> str:
    low, likely, high = report.cost
    since = (
        f"{count(report.runs, 'earlier run')} here"
        if report.runs
        else "published prices of other tools"
    )
    quick, usual, slow = (duration(seconds * 1000) for seconds in report.seconds)
    rows = [
        "| | |",
        "|---|---|",
        f"| Files | {report.files_unread} in {count(report.shards, 'part')} |",
        f"| Tokens of all files | about {report.tokens:,} |",
        f"| Cost of all of it | about {dollars(likely)}, {dollars(low)} to {dollars(high)}, from {since} |",
        f"| Time | about {usual}, {quick} to {slow} |",
    ]
    if report.beyond:
        rows.append(
            f"| Beyond the budget | {count(report.beyond, 'file')}, which would not be read |"
        )
    first = "\n".join(f"- {code(each, 120)}" for each in report.first)
    return "\n".join(rows) + f"\n\nRead first:\n\n{first}"


def _counts(report: AuditReport) -> list[str]:
    if not report.total:
        return []
    rows = ["| severity | open |", "|---|--:|"]
    rows += [f"| {severity} | {number} |" for severity, number in report.open if number]
    return ["\n".join(rows)]


def _worst(report: AuditReport, home: str, head: str) -> list[str]:
    lines = [
        f"- **{each.severity}** {title(each)} · {linked(each, home, head)} · {code(fingerprint(each)[:8])}"
        for each in report.standing[:_LISTED]
    ]
    if report.total > len(lines):
        lines.append(f"- and {report.total - len(lines)} more")
    return ["\n".join(lines)] if lines else []


def _details(report: AuditReport) -> list[str]:
    lines: list[str] = []
    if report.files_read:
        lines.append(
            f"Read: {count(report.files_read, 'file')} in {report.shards_read} of {count(report.shards, 'part')}"
        )
    if report.skipped:
        told = ", ".join(f"{number} {reason}" for reason, number in report.skipped)
        lines.append(f"Left out: {count(report.files_skipped, 'file')} ({told})")
    if report.refuted:
        lines.append(f"Refuted by a second reader: {report.refuted}")
    if report.unsettled:
        lines.append(f"**Not settled**: {len(report.unsettled)}")
        lines += [f"  - {_remark(each)}" for each in _some(report.unsettled)]
        if len(report.unsettled) > _REMARKS:
            lines.append(f"  - and {len(report.unsettled) - _REMARKS} more")
    if not lines:
        return []
    text = "\n".join(line if line.startswith("  ") else f"- {line}" for line in lines)
    return [fold("What was read and what was not", text)]


def _some(remarks: Sequence[Remark]) -> Sequence[Remark]:
    ranked = sorted(remarks, key=lambda each: -(each.severity.rank if each.severity else -1))
    return ranked[:_REMARKS]


def _remark(remark: Remark) -> str:
    severity = f" ({remark.severity})" if remark.severity else ""
    where = code(f"{remark.path}:{remark.line}", 200)
    return f"{neutralize_line(remark.title, 200)} {where}{severity}: {neutralize_line(remark.reason, 300)}"
