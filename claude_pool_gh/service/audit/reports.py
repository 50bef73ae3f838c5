"""Writes the reports of an audit to a folder, and says in a few lines what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from claude_pool_gh.audits.model import AuditFinding, AuditPlan, AuditResult, AuditState
from claude_pool_gh.audits.outputs import html, json, markdown, sarif, summary
from claude_pool_gh.reports.figures import dollars, duration
from claude_pool_gh.reports.words import count
from claude_pool_gh.service.audit import files
from claude_pool_gh.service.audit.options import Form

STEM: Final = "report"
"""The name of each report, without its ending."""
_LISTED: Final = 20
_STATES: Final = {AuditState.new: " (new)", AuditState.reappeared: " (back again)"}


def write(
    result: AuditResult, kind: str, folder: Path, forms: tuple[Form, ...], home: str = ""
) -> list[Path]:
    """Write `report.FORM` for each form. `home`: the repository's page, "" where there is none.

    Raises AuditRefused for a folder behind a link of the repository's, and OSError.
    """
    written = []
    for form in forms:
        file = folder / f"{STEM}.{form}"
        files.put(file, _document(result, kind, form, home))
        written.append(file)
    return written


def _document(result: AuditResult, kind: str, form: Form, home: str) -> str:
    match form:
        case Form.md:
            return markdown.document(result, home)
        case Form.json:
            return json.document(result)
        case Form.html:
            return html.document(result, home)
        case Form.sarif:
            return sarif.document(result, sarif.rules_of(result, kind))


def told(result: AuditResult) -> str:
    """The result in a few lines: verdict, counts, what is missing, the worst findings."""
    return "\n".join(_lines(result))


def _lines(result: AuditResult) -> Iterator[str]:
    plan = result.plan
    yield f"{plan.audit}, {plan.repository} at {plan.commit[:9]}: {summary.verdict(result).text}"
    yield "  ".join([*summary.facts(result), summary.since_last(result)]).rstrip()
    yield from (f"  {line}" for line in summary.missing(result))
    for each in result.standing[:_LISTED]:
        yield _finding(each)
    if (more := len(result.standing) - _LISTED) > 0:
        yield f"  and {count(more, 'finding')} more in the reports"
    for claim in result.unsettled[:_LISTED]:
        yield f"  not settled: {claim.path}:{claim.line} {claim.title} ({claim.reason})"
    if result.resume:
        yield f"{summary.going_on(result)}: {result.resume}"


def _finding(each: AuditFinding) -> str:
    finding = each.finding
    place = f"{finding.path}:{finding.start_line}"
    return f"  {each.severity:8} {place}  {finding.title}{_STATES.get(each.state, '')}"


def planned(plan: AuditPlan) -> str:
    """A plan in a few lines."""
    return "\n".join(_planned(plan))


def headline(plan: AuditPlan) -> str:
    """A plan in a line."""
    shards, cost = [*plan.shards, *plan.beyond], plan.estimate.cost
    number = sum(each.files for each in shards)
    size = f"{count(number, 'file')} in {count(len(shards), 'part')}"
    price = f"about {dollars(cost.likely)} ({dollars(cost.low)} to {dollars(cost.high)})"
    return f"{plan.audit}, {plan.repository} at {plan.commit[:9]}: {size}, {price}"


def _planned(plan: AuditPlan) -> Iterator[str]:
    seconds = plan.estimate.seconds
    yield headline(plan)
    runs = count(plan.estimate.runs, "earlier run") if plan.estimate.runs else "published prices"
    yield (
        f"  from {runs}; about {duration(seconds.likely * 1000)} on {count(plan.slots, 'slot')}; "
        f"the budget is {dollars(plan.budget)}"
    )
    if plan.beyond:
        beyond = sum(each.files for each in plan.beyond)
        yield (
            f"  the budget does not reach {count(beyond, 'file')} in {count(len(plan.beyond), 'part')}: "
            "raise it with --budget, or name what matters with --only"
        )
    reasons = ", ".join(f"{number} {reason}" for reason, number in _left_out(plan).items())
    if reasons:
        yield f"  left out: {reasons}"
    yield from (f"  {notice}" for notice in plan.notices)
    for shard in plan.shards[:_LISTED]:
        yield f"  {shard.id}  {count(shard.files, 'file'):>9}  {shard.tokens:>7,} tokens  {shard.title}"
    if (more := len(plan.shards) - _LISTED) > 0:
        yield f"  and {count(more, 'part')} more"


def _left_out(plan: AuditPlan) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in plan.skipped:
        counts[each.reason.value] = counts.get(each.reason.value, 0) + each.files
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
