"""The verdict in a line: title of the check, first line of the comment, conclusion."""

from __future__ import annotations

import re
from typing import Final, Literal

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.reports import audits
from claude_pool_gh.reports.neutralize import neutralize_line
from claude_pool_gh.reports.views import (
    AnswerReport,
    AuditReport,
    ChangeReport,
    ChangeStatus,
    HandInReport,
    Report,
    Retargeted,
    ReviewReport,
    TriageReport,
)
from claude_pool_gh.reports.words import checks_in_short, count, difference, operator_must_act
from claude_pool_gh.terms.severity import Severity

_ADVICE: Final = re.compile(
    r"\s*\b(?:Run|Use|Try|Type) `?(?:claude\b|--?[a-z]|/(?!pool)[a-z])[^.\n]*\.?"
)
"""What the CLI tells whoever sits in front of it: here nobody does, and what people can do is said elsewhere."""

Conclusion = Literal["success", "failure", "neutral", "cancelled", "action_required"]


def headline(outcome: Outcome | None, report: Report | None, verb: str = "review") -> str:
    """The result in a line. Whatever is incomplete says so first: GitHub shows neutral as a pass."""
    if outcome is None:
        return _waiting(report)
    reason = _reason(outcome)
    match outcome.verdict:
        case Verdict.clean | Verdict.findings:
            return _found(outcome, report)
        case Verdict.unsettled:
            return f"NOT SETTLED: {reason}{_fixed(report)}"
        case Verdict.answered:
            return _done(report)
        case Verdict.skipped | Verdict.quota:
            return f"{_not_done(verb)}: {reason}"
        case Verdict.out_of_budget:
            return f"{_not_whole(report, verb)}: out of budget" + (f" ({reason})" if reason else "")
        case Verdict.out_of_turns:
            return f"{_not_whole(report, verb)}: out of turns"
        case Verdict.cancelled:
            return f"{_not_done(verb)}: cancelled"
        case Verdict.failed:
            return f"{_not_whole(report, verb)}: {reason}"


def _reason(outcome: Outcome) -> str:
    told = neutralize_line(_ADVICE.sub("", outcome.reason), 240)
    return operator_must_act(told) if outcome.operator else told


def _waiting(report: Report | None) -> str:
    match report:
        case ChangeReport(stale=stale) | HandInReport(stale=stale) if stale:
            return f"NOT APPLIED: {neutralize_line(stale, 200)}"
        case ChangeReport():
            return f"AWAITING APPROVAL: {difference(report.files)}{checks_in_short(report.checked)}"
        case _:
            return "AWAITING APPROVAL"


def _done(report: Report | None) -> str:
    match report:
        case ChangeReport():
            return _let_out(report)
        case AnswerReport():
            return "Answered"
        case TriageReport():
            return "Triaged"
        case AuditReport():
            return audits.headline(report)
        case _:
            return "Done"


def _let_out(report: ChangeReport) -> str:
    match report:
        case ChangeReport(fate=ChangeStatus.pushed):
            return f"Pushed {report.commit[:9]}: {difference(report.files)}"
        case ChangeReport(fate=ChangeStatus.proposed):
            return f"Pull request #{report.pull}: {difference(report.files)}"
        case ChangeReport(fate=ChangeStatus.writing):
            return f"Approved, being pushed: {difference(report.files)}"
        case ChangeReport(fate=ChangeStatus.refused):
            return f"NOT PUSHED: {neutralize_line(report.refused, 200)}"
        case ChangeReport(fate=ChangeStatus.patch_only):
            return f"A patch for you to apply: {difference(report.files)}"
        case ChangeReport(questions=questions) if questions:
            return f"{count(len(questions), 'question')} before I can start"
        case _:
            return "Nothing was changed"


def _found(outcome: Outcome, report: Report | None) -> str:
    """The new findings, and those that are left open beside them."""
    match report:
        case AuditReport():
            said = audits.headline(report)
        case ReviewReport():
            said = _reviewed(report)
        case _:
            said = _reviewed(ReviewReport())
    left = outcome.reason if outcome.verdict is Verdict.findings else ""
    return f"{said}; {neutralize_line(left, 240)}" if left else said


def _reviewed(reviewed: ReviewReport) -> str:
    new, fixed = len(reviewed.new), len(reviewed.fixed)
    still = len(reviewed.confirmed) - new
    files = count(reviewed.files, "file")
    nothing_new = f"nothing to read has changed since {reviewed.since[:9]}"
    is_read = bool(reviewed.since) and not reviewed.files
    if not new and not still and not fixed:
        return f"Nothing found; {nothing_new}" if is_read else f"Nothing found in {files}"
    if not fixed and not (new and still):
        counts = count(new, "finding") if new else f"{count(still, 'finding')} still open"
    else:
        told = ((new, "new"), (fixed, "fixed"), (still, "still open"))
        counts = ", ".join(f"{number} {word}" for number, word in told if number)
    worst = f" (worst: {reviewed.confirmed[0].severity})" if reviewed.confirmed else ""
    return f"{counts}{worst}; {nothing_new}" if is_read else f"{counts}{worst} in {files} read"


def _fixed(report: Report | None) -> str:
    fixed = len(report.fixed) if isinstance(report, ReviewReport) else 0
    return f", {fixed} fixed" if fixed else ""


def _not_done(verb: str) -> str:
    return {"review": "NOT REVIEWED", "audit": "NOT AUDITED"}.get(verb, "NOT DONE")


def _not_whole(report: Report | None, verb: str) -> str:
    if isinstance(report, ReviewReport) and report.confirmed:
        return f"PARTLY REVIEWED ({count(len(report.confirmed), 'finding')})"
    if isinstance(report, AuditReport) and report.files_read:
        return f"PARTLY AUDITED ({count(report.total, 'finding')})"
    return _not_done(verb)


def conclusion(
    outcome: Outcome,
    report: Report | None,
    *,
    fail_on: str,
    on_error: Literal["neutral", "failure"],
) -> Conclusion | None:
    """The check run's conclusion; None while what it would speak of does not stand yet on GitHub.

    A run that did nothing is never green.
    GitHub lets neutral pass where a check is required: what an open finding fails, no other trouble makes neutral.
    """
    found = report.confirmed if isinstance(report, ReviewReport) else ()
    concluded = _of(outcome, report, on_error)
    return "failure" if concluded == "neutral" and _fails(found, fail_on) else concluded


def of_another_base(
    concluded: Conclusion | None, title: str, against: Retargeted
) -> tuple[Conclusion | None, str]:
    """A review's check after the pull request was given another base, against which nobody has read the change.

    What was green is so no longer; what failed still does, or to change the base would be a way past the check.
    """
    told = f"it goes into {against.now} now, and was read against {against.read}"
    if concluded == "success":
        return "neutral", f"NOT REVIEWED: {told}"
    return concluded, f"{title}; {told}"


def _of(
    outcome: Outcome, report: Report | None, on_error: Literal["neutral", "failure"]
) -> Conclusion | None:
    match outcome.verdict:
        case Verdict.answered:
            return _concluded(report)
        case Verdict.clean:
            return "success"
        case Verdict.findings | Verdict.unsettled | Verdict.skipped | Verdict.quota:
            return "neutral"
        case Verdict.out_of_budget | Verdict.out_of_turns:
            return "action_required"
        case Verdict.cancelled:
            return "cancelled"
        case Verdict.failed:
            return on_error if outcome.ours else "failure"


def _concluded(report: Report | None) -> Conclusion | None:
    match report:
        case ChangeReport(fate=fate):
            return _concluded_change(fate)
        case _:
            return "success"


def _concluded_change(fate: ChangeStatus) -> Conclusion | None:
    match fate:
        case ChangeStatus.pushed | ChangeStatus.proposed:
            return "success"
        case ChangeStatus.waiting | ChangeStatus.writing:
            return None
        case ChangeStatus.refused:
            return "failure"
        case ChangeStatus.nothing | ChangeStatus.patch_only:
            return "neutral"


def _fails(found: tuple[Finding, ...], fail_on: str) -> bool:
    return fail_on != "never" and any(
        finding.severity.rank >= Severity(fail_on).rank for finding in found
    )
