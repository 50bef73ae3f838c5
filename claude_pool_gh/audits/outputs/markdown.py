"""A whole report as one Markdown file: nothing is folded or left out."""

from __future__ import annotations

from collections.abc import Iterator

from claude_pool_gh.audits.model import AuditResult, AuditState, Completeness
from claude_pool_gh.audits.outputs import parts, summary
from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.words import commit, count, title
from claude_pool_gh.terms.markdown import SafeMarkdown

_EVERY = 10**9


def document(result: AuditResult, home: str = "") -> SafeMarkdown:
    """The report. `home`: the repository's page, "" where there is none."""
    return SafeMarkdown("\n\n".join(filter(None, _sections(result, home))) + "\n")


def _sections(result: AuditResult, home: str) -> Iterator[str]:
    plan, verdict = result.plan, summary.verdict(result)
    yield f"# Audit of {code(plan.repository)}: {code(plan.audit)}"
    yield f"**{parts.SIGNS[verdict.tone]} {verdict.text}**"
    where = f"Commit {commit(plan.commit, home)} of {code(plan.branch, 100)}"
    yield " · ".join([where, *summary.facts(result), summary.day(result.ended_ms)])
    told = (*summary.missing(result), *plan.notices)
    yield "\n".join(f"- {neutralize_line(each)}" for each in told)
    if result.completeness is not Completeness.complete and result.resume:
        yield f"{summary.going_on(result)}: {code(result.resume)}"
    yield parts.counts(result)
    yield from _section("By folder and severity", parts.by_folder(result))
    for severity in summary.SEVERITIES:
        of = [each for each in result.standing if each.severity is severity]
        if of:
            yield f"## {severity.capitalize()}: {count(len(of), 'finding')}"
        for each in of:
            state = "" if each.state is AuditState.open else f" ({_STATE[each.state]})"
            yield f"### {title(each.finding)}{state}"
            yield f"`{each.id}`"
            yield parts.finding(each, home, commands=False)
    unsettled = parts.unsettled(result.unsettled, _EVERY)
    yield from _section("Claims that nobody could settle", unsettled)
    yield from _section("Not covered", parts.uncovered(result, _EVERY))
    yield from _section("Left out of the audit", parts.left_out(result))
    yield from _section(
        "Counted only", "\n".join(f"- {each}" for each in summary.not_shown(result))
    )
    for what, state in (("Fixed", AuditState.fixed), ("Dismissed", AuditState.dismissed)):
        yield from _section(what, parts.settled(result.in_state(state), home, _EVERY))
    yield from _section("Trend", parts.chart(result))
    yield parts.runs(result, home)


_STATE = {AuditState.new: "new", AuditState.reappeared: "back again"}


def _section(heading: str, text: str) -> Iterator[str]:
    if text:
        yield f"## {heading}"
        yield text
