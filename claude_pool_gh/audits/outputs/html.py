"""A whole report as one HTML file: no script, no network, for browsers of any width and for paper, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditResult,
    AuditState,
    ShardResult,
    ShardState,
)
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.outputs.page import items, line, page, table, text
from claude_pool_gh.audits.outputs.summary import SEVERITIES, Tone
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import neutralize
from claude_pool_gh.reports.redact import blanked
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms import cmark

_STATES: Final = {AuditState.new: "new", AuditState.reappeared: "back again"}
_WIDTH, _HEIGHT, _EDGE = 640, 200, 28


def document(result: AuditResult, home: str = "") -> str:
    """The page. `home`: the repository's page on GitHub, "" where there is none; it is only linked to."""
    name = f"Audit of {result.plan.repository}: {result.plan.audit}"
    return page(name, _main(result, home if home.startswith("https://") else ""))


def _main(result: AuditResult, home: str) -> Iterator[str]:
    plan, verdict = result.plan, summary.verdict(result)
    yield f"<h1>Audit of {text(plan.repository)}: {text(plan.audit)}</h1>"
    facts = [f"commit {text(plan.commit[:9])} of {text(plan.branch)}"]
    facts += [text(each) for each in (*summary.facts(result), summary.day(result.ended_ms))]
    yield f'<p class="soft">{" · ".join(facts)}</p>'
    clean = " clean" if verdict.tone is Tone.clean else ""
    yield f'<p class="verdict{clean}">{text(verdict.text)}</p>'
    if told := (*summary.missing(result), *plan.notices):
        yield f'<ul class="warnings">{items(told)}</ul>'
    if result.resume and verdict.tone is Tone.partial:
        yield f"<p>{summary.going_on(result)}: <code>{text(result.resume)}</code></p>"
    yield _counts(result)
    yield _chart(result)
    yield _folders(result)
    for severity in SEVERITIES:
        of = [each for each in result.standing if each.severity is severity]
        if of:
            yield f"<h2>{severity.capitalize()}: {count(len(of), 'finding')}</h2>"
            yield from (_finding(each, home) for each in of)
    yield from _rest(result, home)


def _counts(result: AuditResult) -> str:
    rows = []
    for severity in SEVERITIES:
        of = [each for each in result.standing if each.severity is severity]
        states = [each.state for each in of]
        if of:
            numbers = (len(of), states.count(AuditState.new), states.count(AuditState.reappeared))
            rows.append([f'<span class="tag {severity}">{severity}</span>', *map(str, numbers)])
    return table(("", "open", "new", "back again"), 3, rows)


def _folders(result: AuditResult) -> str:
    shown, more = summary.fewer(summary.folders(result))
    used = [each for each in SEVERITIES if any(one.standing[each] for one in shown)]
    rows = [
        [
            f"<code>{text(one.path)}</code>",
            *(str(one.standing[each]) for each in used),
            str(one.total),
        ]
        for one in shown
    ]
    folders = table(("folder", *used, "all"), len(used) + 1, rows)
    rest = f'<p class="soft">and {count(more, "folder")} more</p>' if more else ""
    return f"<h2>By folder</h2>{folders}{rest}" if folders else ""


def _finding(each: AuditFinding, home: str) -> str:
    stated = each.finding
    state = f" · {_STATES[each.state]}" if each.state in _STATES else ""
    facts = [_place(each, home), f"<code>{text(each.rule)}</code>"]
    facts.append("confirmed by a second agent" if each.verified else "not verified")
    if not each.reread:
        facts.append("its place was not read in this run")
    if each.file_gone:
        facts.append("its file is gone")
    name = f'<span class="soft"><code>{text(summary.short(each))}</code></span>'
    head = f'<span class="tag {each.severity}">{each.severity}</span>{state} {name}'
    parts = [
        f"<header>{head}<h3>{line(stated.title)}</h3></header>",
        f'<p class="soft">{" · ".join(facts)}</p>',
        f"<div>{_prose(stated.body)}</div>",
        f"<pre>{text(blanked(stated.evidence))}</pre>",
        f"<p><strong>When it goes wrong:</strong> {line(stated.scenario)}</p>",
    ]
    if stated.suggestion is not None:
        parts.append("<p><strong>Suggested in place of these lines:</strong></p>")
        parts.append(f"<pre>{text(blanked(stated.suggestion))}</pre>")
    if each.also:
        also = ", ".join(
            f"<code>{text(other.path)}:{other.start_line}</code>" for other in each.also
        )
        parts.append(f'<p class="soft">Also at {also}</p>')
    return f"<article>{''.join(parts)}</article>"


def _place(each: AuditFinding, home: str) -> str:
    stated = each.finding
    lines = f"{stated.start_line}"
    if stated.end_line != stated.start_line:
        lines += f"-{stated.end_line}"
    shown = f"<code>{text(stated.path)}:{lines}</code>"
    if not home or each.file_gone:
        return shown
    address = f"{home}/blob/{quote(each.commit)}/{quote(stated.path)}#L{stated.start_line}"
    return f'<a href="{escape(address)}">{shown}</a>'


def _rest(result: AuditResult, home: str) -> Iterator[str]:
    """The claims and findings that do not count, and the files that were not read."""
    if result.unsettled:
        yield "<h2>Claims that nobody could settle</h2>"
        yield table(
            ("", "claim", "place", "why"),
            0,
            [
                [
                    f'<span class="tag {each.severity}">{each.severity}</span>',
                    line(each.title),
                    f"<code>{text(each.path)}:{each.line}</code>",
                    line(each.reason),
                ]
                for each in sorted(result.unsettled, key=lambda each: -each.severity.rank)
            ],
        )
    if unread := summary.not_whole(result):
        yield "<h2>Not covered</h2>"
        rows = [
            [
                text(each.shard.title),
                str(len(each.unopened) or each.shard.files),
                each.state.value,
                text(_why(each)),
            ]
            for each in unread
        ]
        yield table(("part", "files", "", "why"), 0, rows)
    aside = [
        f"{reason.value}: {count(number, 'file')}"
        for reason, number in result.coverage.reasons().items()
    ]
    if hidden := [each.path for each in result.coverage.skipped if each.overridden]:
        aside.append(f"hidden by the repository's own .gitattributes: {', '.join(hidden)}")
    if aside := [*aside, *summary.not_shown(result)]:
        yield f"<h2>Left out, and counted only</h2><ul>{items(aside)}</ul>"
    for what, state in (("Fixed", AuditState.fixed), ("Dismissed", AuditState.dismissed)):
        if found := result.in_state(state):
            yield f"<h2>{what}: {len(found)}</h2>"
            yield f"<ul>{''.join(_settled(each, home) for each in found)}</ul>"
    yield _runs(result)


def _why(each: ShardResult) -> str:
    """The reason why a shard was not read, or those of its files that were not."""
    if each.state is ShardState.read:
        return f"not opened: {', '.join(each.unopened)}"
    return each.reason


def _settled(each: AuditFinding, home: str) -> str:
    why = ""
    if each.state is AuditState.dismissed:
        by = f" by {text(each.settled_by)}" if each.settled_by else ""
        why = f" · dismissed{by}" + (f": {text(each.reason)}" if each.reason else "")
    return f"<li>{line(each.finding.title)} · {_place(each, home)}{why}</li>"


def _runs(result: AuditResult) -> str:
    rows = [
        [
            summary.day(each.ended_ms),
            f"<code>{text(each.commit[:9])}</code>",
            str(sum(each.open.values())),
            str(each.new),
            str(each.fixed),
            dollars(each.cost),
            each.completeness.value,
        ]
        for each in reversed(summary.trend(result))
    ]
    runs = table(("run", "commit", "open", "new", "fixed", "cost", ""), 0, rows)
    return f"<h2>Runs</h2>{runs}" if runs else ""


def _chart(result: AuditResult) -> str:
    """A drawing of the findings open after each run; the numbers stand in a table too."""
    points = summary.trend(result)
    if not points:
        return ""
    totals = [sum(each.open.values()) for each in points]
    serious = [sum(each.open.get(name, 0) for name in SEVERITIES[:2]) for each in points]
    most = max(1, *totals)
    bottom = _HEIGHT - _EDGE
    lines = "".join(
        f'<polyline class="{name}" points="{_points(values, most)}"/>'
        for name, values in (("all", totals), ("serious", serious))
    )
    words = (
        f"Open findings after each of the last {len(points)} runs, from {totals[0]} to {totals[-1]}"
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{text(words)}">'
        f'<line class="axis" x1="{_EDGE}" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}"/>'
        f'<text x="0" y="14">{most}</text><text x="0" y="{bottom}">0</text>{lines}</svg>'
        f"<figcaption>{text(words)}: all (solid), and critical or high (dashed)</figcaption></figure>"
    )


def _points(values: Sequence[int], most: int) -> str:
    step = (_WIDTH - 2 * _EDGE) / (len(values) - 1)
    height = _HEIGHT - _EDGE - 10
    return " ".join(
        f"{_EDGE + number * step:.1f},{10 + height * (1 - value / most):.1f}"
        for number, value in enumerate(values)
    )


def _prose(text: str) -> str:
    """An agent's Markdown without life, as HTML; the renderer leaves out what HTML is in it all the same."""
    (made,) = cmark.render(neutralize(text, 4_000), ("strikethrough",), 0)
    return made
