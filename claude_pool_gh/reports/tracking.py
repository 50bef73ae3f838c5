"""The tracking comment: one per thread and verb, from its first promise to its last bill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.pool.outcomes import Verdict
from claude_pool_gh.reports.findings import listed
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.neutralize import code, neutralize_line
from claude_pool_gh.reports.views import Bill, Looked, Reviewed, Run, StepLine
from claude_pool_gh.reports.words import count, dollars, duration, fitting, fold, place, title
from claude_pool_gh.terms.markdown import SafeMarkdown

_SIGNS: Final = {
    "pending": "·", "running": "▶", "completed": "✓", "failed": "✗", "cancelled": "✗", "pending_review": "⏸",
}  # fmt: skip
_VERDICT_SIGNS: Final = {Verdict.clean: "✅", Verdict.findings: "🔎", Verdict.answered: "✅"}


def tracking(run: Run) -> SafeMarkdown:
    """The whole comment."""
    parts = _running(run) if run.outcome is None else _ended(run)
    if run.earlier:
        parts.append(
            fold(count(len(run.earlier), "earlier run"), "\n".join(f"- {line}" for line in run.earlier))
        )
    parts.append(f"<sub>{code(run.chain_id)} · asked by {code(run.requester)} · `/pool help`</sub>")
    return fitting("\n\n".join(parts))


def _running(run: Run) -> list[str]:
    promise = f"{run.intent} At most {dollars(run.bill.cap)}"
    if run.bill.usual:
        low, high = run.bill.usual
        promise += f", usually {dollars(low)} to {dollars(high)} here"
    started = any(step.state != "pending" for step in run.steps)
    state = "running" if started else "waiting for its turn"
    return [
        f"### {run.verb.capitalize()} of `{run.head[:9]}`: {state}",
        f"{promise}.",
        steps_table(run.steps),
    ]


def _ended(run: Run) -> list[str]:
    if run.outcome is None:
        raise ValueError("the run has not ended")
    sign = _VERDICT_SIGNS.get(run.outcome.verdict, "⚠️")
    parts = [f"### {sign} {headline(run.outcome, run.reviewed)}"]
    found = run.reviewed.confirmed if run.reviewed else ()
    if found:
        parts.append(f"**{title(found[0])}** {place(found[0])}")
    if run.reviewed and run.reviewed.note:
        parts.append(neutralize_line(run.reviewed.note))
    spent = dollars(run.bill.spent, upper_bound=run.bill.upper_bound)
    parts.append(f"{spent} of {dollars(run.bill.cap)} · {duration(run.elapsed_ms)} · {_next(run)}")
    if run.reviewed and not run.reviewed.posted and found:
        parts.append(listed(found))
    if run.reviewed:
        parts += _details(run.reviewed)
    parts.append(fold("Steps", steps_table(run.steps)))
    parts.append(fold("Bill", bill_table(run.steps, run.bill)))
    if run.looked:
        parts.append(fold("What the agents looked at", "\n\n".join(map(_looked, run.looked))))
    return parts


def _next(run: Run) -> str:
    """The one most useful next command."""
    verdict = run.outcome.verdict if run.outcome else None
    if run.reviewed and run.reviewed.unread:
        return "for a part of it: `/pool review PATH`"
    match verdict:
        case Verdict.out_of_budget:
            return f"next: `/pool review --budget {run.bill.cap / 500_000:.2f}`"
        case Verdict.out_of_turns:
            return "next: `/pool review --turns 80`"
        case Verdict.clean | Verdict.findings:
            return "after the next push: `/pool review`"
        case _:
            return "again: `/pool review`"


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
    if reviewed.known:
        lines.append(f"{count(reviewed.known, 'finding')} of earlier runs not repeated")
    weighed = [f"{n} {word}" for n, word in ((reviewed.refuted, "refuted"), (reviewed.unsure, "unsure")) if n]
    if weighed:
        lines.append(f"Not posted after the second look: {', '.join(weighed)}")
    if reviewed.dropped:
        lines.append(f"Dropped by the host's check: {len(reviewed.dropped)}")
        lines += [f"  - {neutralize_line(why)}" for why in reviewed.dropped[:10]]
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
    return (
        "\n".join(rows)
        .replace("per user per", "per user and")
        .replace("per repository per", "per repository and")
    )


def _looked(looked: Looked) -> str:
    lines = [f"**{neutralize_line(looked.task, 120)}**"]
    for what, texts in (("read", looked.files), ("searched", looked.searches), ("was denied", looked.denied)):
        if texts:
            lines.append(f"{what} " + ", ".join(code(text, 120) for text in texts[:25]))
    return "  \n".join(lines)


def _paths(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return ", ".join(code(path, 120) for path in paths[:10]) + more
