"""The tracking comment: one per thread and verb, from its first promise to its last bill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.pool.outcomes import Verdict
from claude_pool_gh.reports import changes
from claude_pool_gh.reports.findings import listed
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.neutralize import code, neutralize, neutralize_line
from claude_pool_gh.reports.views import (
    Bill,
    Changed,
    Fate,
    Kept,
    Looked,
    Place,
    Presented,
    Reviewed,
    Run,
    StepLine,
    Triaged,
)
from claude_pool_gh.reports.words import count, difference, dollars, duration, fitting, fold, place, title
from claude_pool_gh.terms.markdown import SafeMarkdown

_SIGNS: Final = {
    "pending": "·", "running": "▶", "completed": "✓", "failed": "✗", "cancelled": "✗", "pending_review": "⏸",
}  # fmt: skip
_VERDICT_SIGNS: Final = {Verdict.clean: "✅", Verdict.findings: "🔎", Verdict.answered: "✅"}


def tracking(run: Run) -> SafeMarkdown:
    """The comment, as much of it as GitHub takes."""
    return fitting(whole(run), run.download)


def whole(run: Run) -> str:
    """All that there is to say, however long."""
    parts = _running(run) if run.outcome is None and not run.waits else _at_rest(run)
    if run.earlier:
        parts.append(
            fold(count(len(run.earlier), "earlier run"), "\n".join(f"- {line}" for line in run.earlier))
        )
    download = f" · [all of it]({run.download})" if run.download else ""
    parts.append(f"<sub>{code(run.chain_id)} · asked by {code(run.requester)}{download} · `/pool help`</sub>")
    return "\n\n".join(parts)


def _running(run: Run) -> list[str]:
    promise = f"{run.intent} At most {dollars(run.bill.cap)}"
    if run.bill.usual:
        low, high = run.bill.usual
        promise += f", usually {dollars(low)} to {dollars(high)} here"
    started = any(step.state != "pending" for step in run.steps)
    state = "running" if started and run.place is None else "waiting for its turn"
    parts = [f"### {run.verb.capitalize()} of `{run.head[:9]}`: {state}", f"{promise}."]
    if run.place is not None:
        parts.append(_in_line(run.place))
    if run.stale:
        parts.append(f"⚠️ The head has moved to `{run.stale[:9]}` since: this is about `{run.head[:9]}`.")
    return [*parts, *_warnings(run), steps_table(run.steps)]


def _in_line(place: Place) -> str:
    where = "Next in line" if place.number == 1 else f"Number {place.number} in line"
    slots = "the only slot is" if place.slots == 1 else f"all {place.slots} slots are"
    why = f"{slots} busy" if place.busy >= place.slots else "those before it start first"
    return f"{where}: {why}."


def _at_rest(run: Run) -> list[str]:
    verdict = run.outcome.verdict if run.outcome else None
    sign = "⏸" if verdict is None else _VERDICT_SIGNS.get(verdict, "⚠️")
    if isinstance(run.report, Changed) and run.outcome:
        late = "⏳" if verdict is Verdict.answered else sign  # what ended before it was approved goes nowhere
        sign = {Fate.nothing: "⚠️", Fate.refused: "⚠️", Fate.writing: late}.get(run.report.fate, sign)
    parts = [f"### {sign} {headline(run.outcome, run.report, run.verb)}"]
    spent = dollars(run.bill.spent, upper_bound=run.bill.upper_bound)
    money = f"{spent} of {dollars(run.bill.cap)} · {duration(run.elapsed_ms)}"
    match run.report:
        case Reviewed():
            parts += _review(run.report, money, _next(run))
        case Changed() if run.outcome is None or run.outcome.verdict is Verdict.answered:
            parts += [money, *changes.body(run.report)]
        case Presented() if run.outcome is None:
            handed_in = fold("What was handed in", neutralize(run.report.text, 8_000))
            parts += [money, changes.waiting(run.report), handed_in]
        case Triaged():
            parts += [money, *_triaged(run.report)]
        case _:
            parts.append(" · ".join(filter(None, (money, _next(run)))))
    parts += _kept(run.kept)
    parts += _warnings(run)
    parts.append(fold("Steps", steps_table(run.steps)))
    parts.append(fold("Bill", bill_table(run.steps, run.bill)))
    if run.looked:
        parts.append(fold("What the agents looked at", "\n\n".join(map(_looked, run.looked))))
    return parts


def _warnings(run: Run) -> list[str]:
    return [f"⚠️ {warning}" for warning in run.warnings]


def _review(reviewed: Reviewed, money: str, next_: str) -> list[str]:
    found = reviewed.confirmed
    parts = [f"**{title(found[0])}** {place(found[0])}"] if found else []
    if reviewed.note:
        parts.append(neutralize_line(reviewed.note))
    parts.append(" · ".join(filter(None, (money, next_))))
    if not reviewed.posted and found:
        parts.append(listed(found))
    return [*parts, *_details(reviewed)]


def _triaged(triaged: Triaged) -> list[str]:
    parts: list[str] = [neutralize(triaged.summary, 1_500)]
    if triaged.labels:
        parts.append("Labels: " + ", ".join(code(label) for label in triaged.labels))
    if triaged.missing:
        missing = "\n".join(f"- {neutralize_line(each, 300)}" for each in triaged.missing[:8])
        parts.append(f"Missing before somebody can work on it:\n\n{missing}")
    if triaged.note:
        parts.append(neutralize(triaged.note, 1_000))
    return parts


def _kept(kept: Kept | None) -> list[str]:
    """What is left of a chain that ended early, and how it goes on."""
    if kept is None:
        return []
    work = ""
    if kept.files:
        work = f" What it had changed is kept ({difference(kept.files)}), and it starts from there."
    return [f"Nothing that was paid for is lost.{work} To go on:\n\n```\n{kept.command}\n```"]


def _next(run: Run) -> str:
    """The one most useful next command."""
    verdict = run.outcome.verdict if run.outcome else None
    if run.kept is not None:
        return ""
    if isinstance(run.report, Reviewed) and run.report.unread:
        return "for a part of it: `/pool review PATH`"
    match verdict:
        case Verdict.clean | Verdict.findings:
            return "after the next push: `/pool review`"
        case Verdict.answered:
            return ""
        case _:
            return "again: `/pool retry`"


def _details(reviewed: Reviewed) -> list[str]:
    lines = []
    if reviewed.unread:
        lines.append(f"**Not read:** {_paths(reviewed.unread)}")
    if reviewed.left_out:
        lines.append(f"Left out (generated, binary or excluded): {_paths(reviewed.left_out)}")
    if reviewed.standing:
        lines.append(
            f"Found before and still there: {', '.join(place(each) for each in reviewed.standing[:10])}"
        )
    if reviewed.fixed:
        lines.append(f"Found before and fixed: {', '.join(title(each) for each in reviewed.fixed[:10])}")
    if reviewed.known:
        lines.append(f"{count(reviewed.known, 'finding')} of earlier runs not repeated")
    weighed = [f"{n} {word}" for n, word in ((reviewed.refuted, "refuted"), (reviewed.unsure, "unsure")) if n]
    if weighed:
        lines.append(f"Not posted after the second look: {', '.join(weighed)}")
    if reviewed.dropped:
        lines.append(f"Dropped by the host's check: {len(reviewed.dropped)}")
        lines += [f"  - {told}" for why in reviewed.dropped[:10] if (told := neutralize_line(why))]
    if not lines:
        return []
    body = "\n".join(line if line.startswith("  ") else f"- {line}" for line in lines)
    return [fold("What was not posted or not read", body)]


def steps_table(steps: Sequence[StepLine]) -> str:
    """The steps, one in a row."""
    rows = ["| | step | model | time | cost |", "|---|---|---|--:|--:|"]
    for step in steps:
        detail = f" {neutralize_line(step.detail, 160)}" if step.detail else ""
        time = "" if step.elapsed_ms is None else duration(step.elapsed_ms)
        cost = dollars(step.cost, upper_bound=step.upper_bound) if step.cost else ""
        cells = (_SIGNS.get(step.state, "?"), f"**{step.name}**{detail}", step.model, time, cost)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def bill_table(steps: Sequence[StepLine], bill: Bill) -> str:
    """What it cost and what is left of every cap."""
    rows = ["| | cost |", "|---|--:|"]
    rows += [f"| {s.name} | {dollars(s.cost, upper_bound=s.upper_bound)} |" for s in steps if s.cost]
    rows.append(f"| **this run** | **{dollars(bill.spent, upper_bound=bill.upper_bound)}** |")
    rows.append(f"| this thread so far | {dollars(bill.thread)} |")
    rows.append(f"| this repository this month | {dollars(bill.month)} |")
    rows += [
        f"| left of the cap per {cap.name} | {dollars(cap.left)} of {dollars(cap.limit)} |"
        for cap in bill.caps
    ]
    if bill.upper_bound:
        rows.append("\n`≤` marks an upper bound: the model's API broke off before it said what it had used.")
    return "\n".join(rows)


def _looked(looked: Looked) -> str:
    lines = [f"**{neutralize_line(looked.task, 120)}**"]
    for what, texts in (("read", looked.files), ("searched", looked.searches), ("was denied", looked.denied)):
        if texts:
            lines.append(f"{what} " + ", ".join(code(text, 120) for text in texts[:25]))
    return "  \n".join(lines)


def _paths(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return ", ".join(code(path, 120) for path in paths[:10]) + more
