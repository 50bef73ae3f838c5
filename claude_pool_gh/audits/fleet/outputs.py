"""An overview of many repositories as Markdown, JSON and HTML. No word in it is an agent's."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Annotated, Final, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from claude_pool_gh.audits.fleet.model import Overview, Row, RowState
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.outputs.page import items, page, table, text
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import cell, code, neutralize_line
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.markdown import SafeMarkdown
from claude_pool_gh.terms.severity import Severity

FORM: Final = 1
"""Goes up where a field is taken away or comes to mean something else."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedRepository(_Part):
    """A repository, and what came of its audit."""

    repository: str
    state: RowState
    reason: str
    commit: str
    open: dict[Severity, int]
    new: int
    fixed: int
    unsettled: int
    files_read: int
    files_not_read: int
    cost_microdollars: int
    cost_is_upper_bound: bool
    report: Annotated[str, Field(description="Its own report, from the overview's folder")]


class Report(_Part):
    """A whole overview. Times are milliseconds since 1970 (UTC), money is microdollars."""

    form: Literal[1] = FORM
    audit: str
    source: str
    verdict: str
    repositories: tuple[ReportedRepository, ...]
    left_out: Annotated[dict[str, int], Field(description="By the filters, for each reason")]
    open: dict[Severity, int]
    covered: Annotated[int, Field(description="Repositories that were audited whole")]
    cost_microdollars: int
    cost_is_upper_bound: bool
    budget_microdollars: int
    started_ms: int
    ended_ms: int


def verdict(overview: Overview) -> str:
    """The verdict on all of them, in a sentence: what is missing stands before what was found."""
    rows, standing = overview.rows, sum(overview.open.values())
    found = f"{count(standing, 'finding')} open" if standing else "no finding open"
    if standing:
        found += f" ({summary.severities(overview.open)})"
    if not rows:
        return "NOT AUDITED: no repository was left to read"
    if not overview.is_whole:
        missing = len(rows) - overview.covered
        return f"PARTLY AUDITED: {missing} of {count(len(rows), 'repository', 'repositories')} not whole; {found}"
    return f"{found} in {count(len(rows), 'repository', 'repositories')}"


def facts(overview: Overview) -> list[str]:
    """Cost and time, and what the filters left out."""
    cost = dollars(overview.cost, upper_bound=overview.cost_is_bound)
    told = [f"{cost} of {dollars(overview.budget)}", summary.day(overview.ended_ms)]
    told += [f"{number} left out: {reason}" for reason, number in overview.left_out.items()]
    return told


def plain(overview: Overview) -> str:
    """The overview for a terminal."""
    width = max((len(row.repository) for row in overview.rows), default=0)
    lines = [
        f"{overview.audit}, {overview.source}: {verdict(overview)}",
        "  ".join(facts(overview)),
    ]
    for row in overview.rows:
        told = [
            row.state.value,
            summary.severities(row.open),
            _read(row) and f"{_read(row)} files read",
        ]
        told += [dollars(row.cost, upper_bound=row.cost_is_bound), row.reason]
        lines.append(f"  {row.repository:{width}}  {'  '.join(filter(None, told))}")
    return "\n".join(lines)


def markdown(overview: Overview) -> SafeMarkdown:
    """The overview as Markdown."""
    return SafeMarkdown("\n\n".join(_markdown(overview)) + "\n")


def _markdown(overview: Overview) -> Iterator[str]:
    yield f"# Audit {code(overview.audit)} of {code(overview.source, 200)}"
    yield f"**{verdict(overview)}**"
    yield " · ".join(map(neutralize_line, facts(overview)))
    if overview.rows:
        lines = [
            "| repository | outcome | findings | new | fixed | files read | cost | |",
            "|---|---|---|--:|--:|--:|--:|---|",
        ]
        yield "\n".join([*lines, *map(_line, overview.rows)])


def _line(row: Row) -> str:
    name = f"`{row.repository}`"
    linked = f"[{name}](<{quote(row.report)}.md>)" if row.report else name
    cells = [
        linked,
        row.state.value,
        summary.severities(row.open),
        str(row.new or ""),
        str(row.fixed or ""),
        _read(row),
        dollars(row.cost, upper_bound=row.cost_is_bound),
        cell(neutralize_line(row.reason)),
    ]
    return f"| {' | '.join(cells)} |"


def _read(row: Row) -> str:
    planned = row.files_read + row.files_unread
    return f"{row.files_read} of {planned}" if planned else ""


def json(overview: Overview) -> str:
    """The overview as JSON with types."""
    report = Report(
        audit=overview.audit,
        source=overview.source,
        verdict=verdict(overview),
        repositories=tuple(map(_reported, overview.rows)),
        left_out=dict(overview.left_out),
        open=dict(overview.open),
        covered=overview.covered,
        cost_microdollars=overview.cost,
        cost_is_upper_bound=overview.cost_is_bound,
        budget_microdollars=overview.budget,
        started_ms=overview.started_ms,
        ended_ms=overview.ended_ms,
    )
    return report.model_dump_json(indent=2) + "\n"


def _reported(row: Row) -> ReportedRepository:
    return ReportedRepository(
        repository=row.repository,
        state=row.state,
        reason=row.reason,
        commit=row.commit,
        open=dict(row.open),
        new=row.new,
        fixed=row.fixed,
        unsettled=row.unsettled,
        files_read=row.files_read,
        files_not_read=row.files_unread,
        cost_microdollars=row.cost,
        cost_is_upper_bound=row.cost_is_bound,
        report=f"{row.report}.json" if row.report else "",
    )


def html(overview: Overview) -> str:
    """The overview as one page, with links to the repositories' own."""
    return page(f"Audit {overview.audit} of {overview.source}", _html(overview))


def _html(overview: Overview) -> Iterator[str]:
    yield f"<h1>Audit {text(overview.audit)} of {text(overview.source)}</h1>"
    yield f'<p class="soft">{" · ".join(map(text, facts(overview)))}</p>'
    is_clean = overview.is_whole and not any(overview.open.values())
    yield f'<p class="verdict{" clean" if is_clean else ""}">{text(verdict(overview))}</p>'
    used = [severity for severity, number in overview.open.items() if number]
    head = ("repository", "outcome", "", *used, "new", "fixed", "files read", "cost")
    yield table(head, len(used) + 4, [_cells(row, used) for row in overview.rows])
    if overview.left_out:
        told = [f"{reason}: {number}" for reason, number in overview.left_out.items()]
        yield f"<h2>Left out by the filters</h2><ul>{items(told)}</ul>"


def _cells(row: Row, used: list[Severity]) -> list[str]:
    name = f"<code>{text(row.repository)}</code>"
    return [
        f'<a href="{escape(quote(row.report))}.html">{name}</a>' if row.report else name,
        row.state.value,
        f'<span class="soft">{text(row.reason)}</span>',
        *(
            f'<span class="tag {each}">{row.open[each]}</span>' if row.open.get(each) else ""
            for each in used
        ),
        str(row.new or ""),
        str(row.fixed or ""),
        _read(row),
        text(dollars(row.cost, upper_bound=row.cost_is_bound)),
    ]
