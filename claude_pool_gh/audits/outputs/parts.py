"""Parts of a report as Markdown that the report issue and the file share. Every word of an agent's is neutralized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.audits.model import (
    AuditFinding,
    AuditResult,
    AuditState,
    ShardResult,
    ShardState,
    SkipReason,
    UnsettledClaim,
)
from claude_pool_gh.audits.outputs import summary
from claude_pool_gh.audits.outputs.summary import SEVERITIES
from claude_pool_gh.reports.figures import dollars
from claude_pool_gh.reports.neutralize import cell, code, fence, neutralize, neutralize_line
from claude_pool_gh.reports.redact import blanked
from claude_pool_gh.reports.words import commit, count, linked, title

SIGNS: Final = {
    summary.Tone.clean: "✅",
    summary.Tone.findings: "🔎",
    summary.Tone.partial: "⚠️",
}
_STATES: Final = {
    AuditState.new: " · new",
    AuditState.reappeared: " · back again",
    AuditState.open: "",
    AuditState.fixed: "",
    AuditState.dismissed: "",
}
_PATHS: Final = 30
_UNOPENED: Final = 10
_EVIDENCE: Final = 1_500
_LANGUAGES: Final = {
    "py": "python",
    "js": "javascript",
    "ts": "typescript",
    "tsx": "tsx",
    "go": "go",
    "rs": "rust",
    "java": "java",
    "rb": "ruby",
    "c": "c",
    "h": "c",
    "cpp": "cpp",
    "sh": "bash",
    "yml": "yaml",
    "yaml": "yaml",
    "json": "json",
    "toml": "toml",
    "sql": "sql",
}


def table(head: Sequence[str], numbers: int, rows: Sequence[Sequence[str]]) -> str:
    """A table whose last `numbers` columns are numbers."""
    words = len(head) - numbers
    marks = ["---"] * words + ["--:"] * numbers
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(marks)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)])


def counts(result: AuditResult) -> str:
    """The numbers of open findings by severity, and how many of them are new."""
    rows = []
    for severity in SEVERITIES:
        of = [each for each in result.standing if each.severity is severity]
        if of:
            new = sum(each.state is AuditState.new for each in of)
            back = sum(each.state is AuditState.reappeared for each in of)
            rows.append([f"**{severity}**", *map(_number, (len(of), new, back))])
    return table(("", "open", "new", "back again"), 3, rows) if rows else ""


def _number(number: int) -> str:
    return str(number) if number else "·"


def worst(result: AuditResult, home: str, most: int) -> str:
    """The worst of what stands, a line each, and how many more there are."""
    standing = sorted(result.standing, key=lambda each: -each.severity.rank)
    lines = [
        f"- **{each.severity}** {title(each.finding)} · {linked(each.finding, home, each.commit)}"
        f" · `{summary.short(each)}`{_STATES[each.state]}"
        for each in standing[:most]
    ]
    if len(standing) > most:
        lines.append(f"- and {len(standing) - most} more")
    return "\n".join(lines)


def chart(result: AuditResult) -> str:
    """A picture of what stood after each run, which GitHub draws. Nothing in it is a word of the repository's."""
    points = summary.trend(result)
    if not points:
        return ""
    totals = [sum(each.open.values()) for each in points]
    serious = [sum(each.open.get(name, 0) for name in SEVERITIES[:2]) for each in points]
    runs = ", ".join(str(number) for number in range(1, len(points) + 1))
    lines = [
        "```mermaid",
        "xychart-beta",
        '    title "Open findings after each run: all, and critical or high"',
        f"    x-axis [{runs}]",
        f'    y-axis "open" 0 --> {max(1, *totals)}',
        f"    line [{', '.join(map(str, totals))}]",
        f"    line [{', '.join(map(str, serious))}]",
        "```",
    ]
    return "\n".join(lines)


def runs(result: AuditResult, home: str) -> str:
    """The numbers of the picture, the newest run first."""
    rows = [
        [
            str(number),
            summary.day(each.ended_ms),
            commit(each.commit, home),
            str(sum(each.open.values())),
            summary.severities(each.open) or "·",
            _number(each.new),
            _number(each.fixed),
            each.completeness.value,
            dollars(each.cost),
        ]
        for number, each in reversed(list(enumerate(summary.trend(result), 1)))
    ]
    head = ("run", "ended", "commit", "open", "of which", "new", "fixed", "read", "cost")
    return table(head, 0, rows) if rows else ""


def by_folder(result: AuditResult) -> str:
    """The numbers of open findings, by folder and severity."""
    shown, more = summary.fewer(summary.folders(result))
    used = [each for each in SEVERITIES if any(one.standing[each] for one in shown)]
    rows = [
        [code(one.path, 100), *(_number(one.standing[each]) for each in used), str(one.total)]
        for one in shown
    ]
    if not rows:
        return ""
    text = table(("folder", *used, "all"), len(used) + 1, rows)
    return f"{text}\n\nand {count(more, 'folder')} more" if more else text


def finding(each: AuditFinding, home: str, *, commands: bool) -> str:
    """One finding with its evidence, scenario and suggestion. `commands`: whether they can be given where it stands."""
    stated = each.finding
    facts = [linked(stated, home, each.commit), f"`{each.rule}`"]
    facts.append("confirmed by a second agent" if each.verified else "not verified")
    if each.first_ms:
        facts.append(f"first found {summary.day(each.first_ms)}")
    if not each.reread:
        facts.append("its place was not read in this run")
    if each.file_gone:
        facts.append("its file is gone")
    language = _LANGUAGES.get(stated.path.rpartition(".")[2].lower(), "text")
    parts = [
        " · ".join(facts),
        neutralize(stated.body, 2_500),
        fence(blanked(stated.evidence)[:_EVIDENCE], language),
        f"**When it goes wrong:** {neutralize_line(stated.scenario, 600)}",
    ]
    if stated.suggestion is not None:
        parts.append(
            f"**Suggested in place of these lines:**\n\n{fence(blanked(stated.suggestion), language)}"
        )
    if each.also:
        places = ", ".join(linked(other, home, each.commit) for other in each.also[:10])
        more = f" and {len(each.also) - 10} more" if len(each.also) > 10 else ""
        parts.append(f"Also at {places}{more}.")
    if commands:
        name = summary.short(each)
        parts.append(f"<sub>`/pool fix {name}` · `/pool dismiss {name} REASON`</sub>")
    return "\n\n".join(parts)


def settled(found: Sequence[AuditFinding], home: str, most: int) -> str:
    """Findings that do not count any more, a line each."""
    lines = []
    for each in found[:most]:
        why = ""
        if each.state is AuditState.dismissed:
            by = f" by {code(each.settled_by, 60)}" if each.settled_by else ""
            reason = f": {neutralize_line(each.reason, 200)}" if each.reason else ""
            why = f" · dismissed{by}{reason}"
        where = linked(each.finding, home, each.commit)
        lines.append(f"- {title(each.finding)} · {where} · `{summary.short(each)}`{why}")
    if len(found) > most:
        lines.append(f"- and {len(found) - most} more")
    return "\n".join(lines)


def unsettled(claims: Sequence[UnsettledClaim], most: int) -> str:
    """Claims that nobody could settle, the worst first."""
    worst_first = sorted(claims, key=lambda each: -each.severity.rank)
    lines = [
        f"- **{each.severity}** {neutralize_line(each.title, 200)} {code(f'{each.path}:{each.line}', 200)}: "
        f"{neutralize_line(each.reason, 300)}"
        for each in worst_first[:most]
    ]
    if len(claims) > most:
        lines.append(f"- and {len(claims) - most} more")
    return "\n".join(lines)


def uncovered(result: AuditResult, most: int) -> str:
    """The shards that were not read whole, and why; nothing where all were."""
    found = summary.not_whole(result)
    rows = [
        [
            code(each.shard.title, 100),
            str(len(each.unopened) or each.shard.files),
            each.state.value,
            _why(each),
        ]
        for each in found[:most]
    ]
    if not rows:
        return ""
    text = table(("part", "files", "state", "why"), 0, rows)
    return f"{text}\n\nand {count(len(found) - most, 'part')} more" if len(found) > most else text


def _why(each: ShardResult) -> str:
    """The reason why a shard was not read, or those of its files that were not."""
    if each.state is not ShardState.read:
        return neutralize_line(each.reason, 200) if each.reason else ""
    names = ", ".join(code(path, 120) for path in each.unopened[:_UNOPENED])
    more = f" and {len(each.unopened) - _UNOPENED} more" if len(each.unopened) > _UNOPENED else ""
    return f"not opened: {names}{more}"


def left_out(result: AuditResult) -> str:
    """The files left out before the audit began, by reason; those the repository's own attributes hide, by name."""
    reasons = result.coverage.reasons()
    if not reasons:
        return ""
    lines = [f"- {_reason(reason)}: {count(number, 'file')}" for reason, number in reasons.items()]
    hidden = [each.path for each in result.coverage.skipped if each.overridden]
    if hidden:
        names = ", ".join(code(path, 120) for path in hidden[:_PATHS])
        more = f" and {len(hidden) - _PATHS} more" if len(hidden) > _PATHS else ""
        lines.append(f"- of these, hidden by the repository's own `.gitattributes`: {names}{more}")
    return "\n".join(lines)


def _reason(reason: SkipReason) -> str:
    return str(reason.value)
