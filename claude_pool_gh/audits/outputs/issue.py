"""The report issue: a first screen that says it all, then a fold for each finding, within what GitHub takes.

What does not fit is left out by whole folds, before anything is rendered, and counted; never the first screen. What
happens between two runs stands between its two parts, see `ReportIssue.since`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.audits.model import AuditFinding, AuditResult, AuditState, Completeness
from claude_pool_gh.audits.outputs import parts, summary
from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.neutralize import summary as fold_title
from claude_pool_gh.reports.words import commit, count, fold
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.severity import Severity

LIMIT: Final = 60_000
"""Bytes, which are never fewer than the characters that GitHub counts up to 65,536."""
_WORST: Final = 10
_PROBLEMS: Final = 6
_LINES: Final = 30
_FOOT: Final = 3_000
"""Bytes that are kept for what stands at the end, and for what happens between two runs."""


def key(repository_id: int, audit: str) -> str:
    """The key of the effect that keeps an audit's report issue."""
    return f"audit:{repository_id}:{audit}:report"


def title(audit: str) -> str:
    """The issue's title; it never changes, so that it can be found and watched."""
    return f"Audit report: {audit}"


@dataclass(frozen=True, slots=True)
class Text:
    """The issue's text: before what has happened since the run, and after it."""

    first: SafeMarkdown
    rest: SafeMarkdown


def waiting(audit: str) -> Text:
    """The issue of an audit that has told no result yet."""
    first = f"The audit {code(audit)} has no result yet. Its findings will be listed here."
    return Text(SafeMarkdown(first), SafeMarkdown(f"<sub>{_help(audit)}</sub>"))


def text(result: AuditResult, home: str, *, workflow_off: str = "", limit: int = LIMIT) -> Text:
    """The issue of an audit that has. `home`: the repository's page, "" where there is none.

    `workflow_off`: why GitHub does not start it any more, in words of ours; "" where it does.
    """
    foot, chart = _foot(result), parts.chart(result)
    first = "\n\n".join(filter(None, _first(result, home, workflow_off)))
    kept: list[str] = []
    left = limit - _size(foot) - _size(first) - _size(chart) - _FOOT
    missing = 0
    for part in _parts(result, home):
        size = _size(part.text) + 2
        if missing == 0 and size <= left:
            kept.append(part.text)
            left -= size
        else:  # whatever comes after one that does not fit is less serious: none of it jumps the queue
            missing += part.findings
    if missing:
        kept.append(
            f"*{count(missing, 'finding')} more {'is' if missing == 1 else 'are'} not shown: GitHub takes no longer "
            "text. The files of the report have all of them.*"
        )
    rest = "\n\n".join(filter(None, [chart, *kept, foot]))
    return Text(SafeMarkdown(first), SafeMarkdown(rest))


def _first(result: AuditResult, home: str, workflow_off: str) -> list[str]:
    """Verdict, counts, the worst findings, what is missing, and how it goes on. It is never shortened."""
    verdict = summary.verdict(result)
    plan = result.plan
    where = f"{commit(plan.commit, home)} of {code(plan.branch, 100)}"
    said = [f"### {parts.SIGNS[verdict.tone]} {verdict.text}"]
    said.append(" · ".join([where, *summary.facts(result), summary.day(result.ended_ms)]))
    said += [_warnings(result), f"⚠️ {workflow_off}" if workflow_off else ""]
    changed = summary.since_last(result)
    said.append(f"Since the last run: {changed}." if changed and len(result.history) > 1 else "")
    said.append(parts.counts(result))
    said.append(parts.worst(result, home, _WORST))
    said.append(_next(result))
    return said


def notice(result: AuditResult) -> SafeMarkdown | None:
    """One comment that a run may make in the issue, for an edit tells nobody; None where nothing is worth it.

    Something new and serious stands, or less was covered than in the run before.
    """
    fresh = (AuditState.new, AuditState.reappeared)
    serious = [
        each
        for each in result.standing
        if each.state in fresh and each.severity.rank >= Severity.high.rank
    ]
    before = result.history[-2].completeness if len(result.history) > 1 else None
    fell = before is Completeness.complete and result.completeness is not Completeness.complete
    if not serious and not fell:
        return None
    lines = []
    if serious:
        back = any(each.state is AuditState.reappeared for each in serious)
        number = count(len(serious), "finding")
        lines.append(
            f"{number} of high or critical severity, new{' or back again' if back else ''}:"
        )
        lines += [
            f"- **{each.severity}** {neutralize_line(each.finding.title, 200)} `{summary.short(each)}`"
            for each in serious[:_WORST]
        ]
    if fell:
        lines.append(f"\n{summary.verdict(result).text}.")
    return SafeMarkdown("\n".join(lines).strip())


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece that is there or not; `findings`: how many go with it."""

    text: str
    findings: int = 0


def _parts(result: AuditResult, home: str) -> Iterator[_Part]:
    """The parts that follow the first screen, in the order of their worth."""
    for what, text in (
        ("Not covered", parts.uncovered(result, _LINES)),
        ("By folder and severity", parts.by_folder(result)),
        (
            f"Not settled: {count(len(result.unsettled), 'claim')}",
            parts.unsettled(result.unsettled, _LINES),
        ),
        ("Left out of the audit, and counted only", _aside(result)),
        ("The runs in numbers", parts.runs(result, home)),
    ):
        if text:
            yield _Part(fold(what, text))
    standing = sorted(result.standing, key=lambda each: -each.severity.rank)
    for severity in summary.SEVERITIES:
        of = [each for each in standing if each.severity is severity]
        for number, each in enumerate(of):
            head = f"#### {severity.capitalize()}: {len(of)}\n\n" if number == 0 else ""
            yield _Part(head + _finding(each, home), 1)
    for what, state in (("Fixed", AuditState.fixed), ("Dismissed", AuditState.dismissed)):
        found = result.in_state(state)
        if found:
            yield _Part(fold(f"{what}: {len(found)}", parts.settled(_newest(found), home, _LINES)))


def _finding(each: AuditFinding, home: str) -> str:
    state = {AuditState.new: "new · ", AuditState.reappeared: "back again · "}.get(each.state, "")
    head = f"{state}{fold_title(each.finding.title, 160)} (<code>{summary.short(each)}</code>)"
    return fold(head, parts.finding(each, home, commands=True))


def _newest(found: Sequence[AuditFinding]) -> list[AuditFinding]:
    return sorted(found, key=lambda each: -each.settled_ms)


def _warnings(result: AuditResult) -> str:
    lines = [neutralize_line(each) for each in summary.missing(result)]
    more = [f"and {len(lines) - _PROBLEMS} more"] if len(lines) > _PROBLEMS else []
    said = [*lines[:_PROBLEMS], *more, *map(neutralize_line, result.plan.notices[:3])]
    return "\n".join(f"> ⚠️ {line}  " for line in said)


def _aside(result: AuditResult) -> str:
    counted = "\n".join(f"- {each}" for each in summary.not_shown(result))
    return "\n".join(filter(None, (parts.left_out(result), counted)))


def _next(result: AuditResult) -> str:
    """The one most useful next command."""
    if result.completeness is not Completeness.complete and result.resume:
        return f"{summary.going_on(result)}: {code(result.resume)}"
    if result.standing:
        first = max(result.standing, key=lambda each: each.severity.rank)
        return (
            f"To have the first one fixed in a pull request: `/pool fix {summary.short(first)}` · "
            f"to be rid of it: `/pool dismiss {summary.short(first)} REASON`"
        )
    return ""


def _foot(result: AuditResult) -> str:
    run = f"{code(result.chain)} · " if result.chain else ""
    return f"<sub>{run}{_help(result.plan.audit)}</sub>"


def _help(audit: str) -> str:
    return (
        f"Kept up to date by `/pool audit {audit}`: what is written into this text by hand is lost with the next run, "
        "comments stay."
    )


def _size(text: str) -> int:
    return len(text.encode())
