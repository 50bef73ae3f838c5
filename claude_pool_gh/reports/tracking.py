"""The tracking comment: one per thread and verb, from its first promise to its last bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from claude_pool_gh.pool.model.outcomes import Verdict
from claude_pool_gh.reports import audits, changes
from claude_pool_gh.reports.figures import amounts, dollars, duration, minutes
from claude_pool_gh.reports.findings import listed
from claude_pool_gh.reports.headline import headline
from claude_pool_gh.reports.neutralize import cell, code, neutralize, neutralize_line
from claude_pool_gh.reports.views import (
    AuditReport,
    Bill,
    ChangeReport,
    ChangeStatus,
    Evidence,
    HandInReport,
    Place,
    Remark,
    ReviewReport,
    Run,
    StepLine,
    TriageReport,
)
from claude_pool_gh.reports.words import (
    commit,
    count,
    difference,
    fitting,
    fold,
    linked,
    place,
    title,
)
from claude_pool_gh.terms.markdown import SafeMarkdown

_SIGNS: Final = {
    "pending": "·",
    "running": "▶",
    "completed": "✓",
    "failed": "✗",
    "cancelled": "✗",
    "pending_review": "⏸",
    "skipped": "⏭",
}
_LISTED: Final = 10
_HEAD_MOVED: Final = "The head has moved"
_REMARKS: Final = 20
"""Claims of one kind that are listed; the rest is counted."""
_VERDICT_SIGNS: Final = {Verdict.clean: "✅", Verdict.findings: "🔎", Verdict.answered: "✅"}


def tracking(run: Run) -> SafeMarkdown:
    """The comment, cut where GitHub would refuse it."""
    return fitting(whole(run), run.download)


def whole(run: Run) -> str:
    """The whole text, however long."""
    parts = _running(run) if run.outcome is None and not run.waits else _at_rest(run)
    if run.earlier:
        parts.append(
            fold(
                count(len(run.earlier), "earlier run"),
                "\n".join(f"- {line}" for line in run.earlier),
            )
        )
    download = f" · [full report]({run.download})" if run.download else ""
    foot = f"{code(run.chain_id)} · requested by {code(run.requester)}{download} · `/pool help`"
    parts.append(f"<sub>{foot}</sub>")
    return "\n\n".join(parts)


def _running(run: Run) -> list[str]:
    promise = f"{run.intent} At most {dollars(run.bill.cap)}"
    if run.bill.usual:
        low, high = run.bill.usual
        promise += f", usually {dollars(low)} to {dollars(high)} here"
    started = any(step.state != "pending" for step in run.steps)
    state = "running" if started and run.place is None else "waiting in the queue"
    parts = [f"### {_name(run)} of {commit(run.head, run.home)}: {state}", f"{promise}."]
    if run.place is not None:
        parts.append(_in_queue(run.place))
    if started:
        spent = dollars(run.bill.spent, upper_bound=run.bill.upper_bound)
        parts.append(f"So far: {minutes(run.elapsed_ms)}, {spent}.")
        if isinstance(run.report, AuditReport):
            parts.append(audits.progress(run.report))
    return [*parts, *_moved(run), *_warnings(run), steps_table(run.steps)]


def _name(run: Run) -> str:
    named = run.name or run.verb
    return named[:1].upper() + named[1:]


def _moved(run: Run) -> list[str]:
    """A note that the pull request has another head or another base by now."""
    return [*_retargeted(run), *_pushed(run)]


def _retargeted(run: Run) -> list[str]:
    if run.against is None:
        return []
    read, now = code(run.against.read), code(run.against.now)
    then = f"against {now} it is not reviewed yet" if run.outcome else f"this is about {read}"
    return [f"⚠️ It goes into {now} now, and was read against {read}; {then}."]


def _pushed(run: Run) -> list[str]:
    if not run.stale:
        return []
    now = commit(run.stale, run.home)
    then = (
        "that is not reviewed yet" if run.outcome else f"this is about {commit(run.head, run.home)}"
    )
    return [f"⚠️ {_HEAD_MOVED} to {now} since; {then}."]


_ORDINALS: Final = {1: "Next", 2: "Second", 3: "Third"}
_SLOTS: Final = {1: "the only slot is", 2: "both slots are"}


def _in_queue(place: Place) -> str:
    where = _ORDINALS.get(place.number, f"Number {place.number}")
    busy = f"{_SLOTS.get(place.slots, f'all {place.slots} slots are')} busy"
    return f"{where} in the queue: {busy if place.busy >= place.slots else 'earlier requests start first'}."


def _at_rest(run: Run) -> list[str]:
    verdict = run.outcome.verdict if run.outcome else None
    sign = "⏸" if verdict is None else _VERDICT_SIGNS.get(verdict, "⚠️")
    if isinstance(run.report, ChangeReport) and run.outcome:
        # what ended before it was approved goes nowhere
        late = "⏳" if verdict is Verdict.answered else sign
        sign = {
            ChangeStatus.nothing: "⚠️",
            ChangeStatus.refused: "⚠️",
            ChangeStatus.writing: late,
        }.get(run.report.fate, sign)
    of = f"{_name(run)}: " if run.name else ""
    parts = [f"### {sign} {of}{headline(run.outcome, run.report, run.verb)}"]
    spent = dollars(run.bill.spent, upper_bound=run.bill.upper_bound)
    at = "Based on" if isinstance(run.report, ChangeReport) and run.report.files else "Commit"
    facts = f"{at} {commit(run.head, run.home)} · {spent} of {dollars(run.bill.cap)} · {duration(run.elapsed_ms)}"
    match run.report:
        case ReviewReport():
            parts += _review(run, run.report, facts)
        case ChangeReport() if run.outcome is None or run.outcome.verdict is Verdict.answered:
            parts += [facts, *changes.body(run.report, run.home)]
        case HandInReport() if run.outcome is None:
            handed_in = fold("What was handed in", neutralize(run.report.text, 8_000))
            parts += [facts, changes.waiting(run.report), handed_in]
        case TriageReport():
            parts += [facts, *_triaged(run.report)]
        case AuditReport():
            parts += audits.body(run.report, run.home, run.head)
            parts.append(" · ".join(filter(None, (facts, _next(run)))))
        case _:
            parts.append(" · ".join(filter(None, (facts, _next(run)))))
    parts += _kept(run)
    parts += _warnings(run)
    parts.append(fold("Steps", steps_table(run.steps)))
    parts.append(fold("Bill", bill_table(run.steps, run.bill)))
    if run.looked:
        parts.append(fold("What the agents looked at", "\n\n".join(map(_looked, run.looked))))
    return parts


def _warnings(run: Run) -> list[str]:
    return [f"⚠️ {warning}" for warning in run.warnings]


def _review(run: Run, reviewed: ReviewReport, facts: str) -> list[str]:
    found = reviewed.confirmed
    parts = [*_moved(run), *_list(run, reviewed)]
    is_said = run.stale and reviewed.note.startswith(_HEAD_MOVED)
    if reviewed.note and not is_said:
        parts.append(neutralize_line(reviewed.note))
    parts.append(" · ".join(filter(None, (facts, _next(run)))))
    if not reviewed.posted and found:
        parts.append(listed(found))
    return [*parts, *_details(reviewed)]


def _list(run: Run, reviewed: ReviewReport) -> list[str]:
    """The findings, the worst first: as many as fit on a screen, and how many more there are."""
    found, old = reviewed.confirmed, {id(each) for each in reviewed.standing}
    lines = [
        f"- **{each.severity}** {title(each)} · {linked(each, run.home, run.head)}"
        + (" · still open" if id(each) in old else "")
        for each in found[:_LISTED]
    ]
    if len(found) > _LISTED:
        lines.append(f"- and {len(found) - _LISTED} more")
    return ["\n".join(lines)] if lines else []


def _triaged(triaged: TriageReport) -> list[str]:
    parts: list[str] = [neutralize(triaged.summary, 1_500)]
    if triaged.labels:
        parts.append("Labels: " + ", ".join(code(label) for label in triaged.labels))
    if triaged.missing:
        missing = "\n".join(f"- {neutralize_line(each, 300)}" for each in triaged.missing[:8])
        parts.append(f"Missing information:\n\n{missing}")
    if triaged.note:
        parts.append(neutralize(triaged.note, 1_000))
    return parts


def _kept(run: Run) -> list[str]:
    """The work that is left of a chain that ended early, and how to resume it."""
    if run.kept is None:
        return []
    saved = ["Finished steps are saved."] if run.kept.saved else []
    if run.kept.files:
        saved.append(f"The files changed so far are saved ({difference(run.kept.files)}).")
    return [f"{' '.join([*saved, 'To resume:'])}\n\n```\n{run.kept.command}\n```"]


def _next(run: Run) -> str:
    """The one most useful next command."""
    verdict = run.outcome.verdict if run.outcome else None
    if run.kept is not None or (run.outcome is not None and run.outcome.operator):
        return ""
    if isinstance(run.report, ReviewReport) and run.report.unread:
        return "to review a part: `/pool review PATH`"
    if isinstance(run.report, AuditReport):
        return f"to read it again: `/pool audit {run.report.name}`"
    match verdict:
        case Verdict.answered:
            return ""
        case Verdict.clean | Verdict.findings | Verdict.unsettled | Verdict.skipped:
            return _next_review(run, verdict) if run.verb == "review" else ""
        case _:
            return "to try again: `/pool retry`"


def _is_outdated(run: Run) -> bool:
    """True where there is something to review by now that was not there when it began."""
    noted = isinstance(run.report, ReviewReport) and run.report.note.startswith(_HEAD_MOVED)
    return bool(run.against or run.stale or noted)


def _next_review(run: Run, verdict: Verdict) -> str:
    """The line after a review that came to its end; the same line would end in the same way on the same commit."""
    if verdict is not Verdict.skipped:
        when = "to review it again" if _is_outdated(run) else "after the next push"
        return f"{when}: `/pool review`"
    if isinstance(run.report, ReviewReport) and not run.report.files:
        return "to have it read: `/pool review PATH`" if run.report.generated else ""
    return "to review all of it: `/pool review`"


def _not_read(reviewed: ReviewReport) -> Iterator[str]:
    if reviewed.unread:
        yield f"**Not read:** {_paths(reviewed.unread)}"
    if reviewed.generated:
        yield (
            f"**Not read, since it looks generated:** {_paths(reviewed.generated)}; `/pool review PATH` reads it, "
            "`review.exclude` settles it"
        )
    if reviewed.left_out:
        yield f"Skipped (binary or excluded): {_paths(reviewed.left_out)}"
    if reviewed.without_lines:
        yield f"Changed without a changed line: {_paths(reviewed.without_lines)}"


def _details(reviewed: ReviewReport) -> list[str]:
    lines = list(_not_read(reviewed))
    if reviewed.standing:
        lines.append(
            f"Found earlier, still open: {', '.join(place(each) for each in reviewed.standing[:10])}"
        )
    if reviewed.fixed:
        lines.append(
            f"Found earlier, now fixed: {', '.join(title(each) for each in reviewed.fixed[:10])}"
        )
    if reviewed.known:
        lines.append(f"{count(reviewed.known, 'finding')} from earlier runs not repeated")
    if reviewed.unopened:
        lines.append(f"**Answered from the diff alone:** {_paths(reviewed.unopened)}")
    for what, remarks in (
        ("**Not settled**", reviewed.unsettled),
        ("Still open, since nobody could say whether it is fixed", reviewed.unchecked),
        ("There before this change, and not counted", reviewed.before),
        (
            "Dismissed by a maintainer, and stated again (`/pool reopen ID` counts one again)",
            reviewed.hidden,
        ),
        ("Refuted by a second reader", reviewed.refuted),
    ):
        lines += _remarks(what, remarks)
    if not lines:
        return []
    body = "\n".join(line if line.startswith("  ") else f"- {line}" for line in lines)
    return [fold("What was not posted or not read", body)]


def _remarks(what: str, remarks: Sequence[Remark]) -> list[str]:
    """Claims by title, place and reason; those that are not listed are counted."""
    if not remarks:
        return []
    listed = sorted(remarks, key=lambda each: -(each.severity.rank if each.severity else -1))[
        :_REMARKS
    ]
    more = [f"  - and {len(remarks) - _REMARKS} more"] if len(remarks) > _REMARKS else []
    return [f"{what}: {len(remarks)}", *(f"  - {_remark(each)}" for each in listed), *more]


def _remark(remark: Remark) -> str:
    where = (
        code(f"{remark.path}:{remark.line}" if remark.line else remark.path, 200)
        if remark.path
        else ""
    )
    said = f"{neutralize_line(remark.title, 200)} {where}".strip()
    severity = f" ({remark.severity})" if remark.severity else ""
    return f"{said}{severity}: {neutralize_line(remark.reason, 300)}"


def steps_table(steps: Sequence[StepLine]) -> str:
    """The steps, one in a row."""
    rows = ["| | step | model | time | cost |", "|---|---|---|--:|--:|"]
    costs, _ = _costs(steps)
    for step, cost in zip(steps, costs, strict=True):
        detail = f" {neutralize_line(step.detail, 160)}" if step.detail else ""
        time = "" if step.elapsed_ms is None else duration(step.elapsed_ms)
        if step.state == "running" and step.elapsed_ms is not None:
            time = minutes(step.elapsed_ms)
        sign = "⚠" if step.failed and step.state == "completed" else _SIGNS.get(step.state, "?")
        cells = (sign, f"**{step.name}**{detail}", step.model, time, cost)
        rows.append("| " + " | ".join(map(cell, cells)) + " |")
    return "\n".join(rows)


def _costs(steps: Sequence[StepLine], more: int = 0) -> tuple[list[str], str]:
    """The cost of each step, "" where nothing, and their sum with what `more` adds: as shown, they add up."""
    texts, total = amounts([*(step.cost for step in steps), more])
    shown = [
        f"{'≤ ' if step.upper_bound else ''}{text}" if step.cost else ""
        for step, text in zip(steps, texts, strict=False)
    ]
    return shown, total


def bill_table(steps: Sequence[StepLine], bill: Bill) -> str:
    """The bill, and what is left of every cap."""
    rows = ["| | cost |", "|---|--:|"]
    other = max(0, bill.spent - sum(step.cost for step in steps))
    costs, total = _costs(steps, other)
    rows += [f"| {step.name} | {cost} |" for step, cost in zip(steps, costs, strict=True) if cost]
    if other and any(costs):
        rows.append(f"| other | {dollars(other)} |")
    rows.append(f"| **this run** | **{'≤ ' if bill.upper_bound else ''}{total}** |")
    if bill.thread is not None:
        rows.append(f"| this thread so far | {dollars(bill.thread)} |")
    rows.append(f"| this repository this month | {dollars(bill.month)} |")
    rows += [
        f"| left of the cap per {cap.name} | {dollars(cap.left)} of {dollars(cap.limit)} |"
        for cap in bill.caps
    ]
    if bill.upper_bound:
        rows.append(
            "\n`≤` marks an upper bound: the connection to the model's API broke before it reported the usage."
        )
    return "\n".join(rows)


def _looked(looked: Evidence) -> str:
    lines = [f"**{neutralize_line(looked.task, 120)}**"]
    for what, texts in (
        ("read", looked.files),
        ("searched", looked.searches),
        ("was denied", looked.denied),
    ):
        if texts:
            lines.append(f"{what} " + ", ".join(code(text, 120) for text in texts[:25]))
    return "  \n".join(lines)


def _paths(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 10} more" if len(paths) > 10 else ""
    return ", ".join(code(path, 120) for path in paths[:10]) + more
