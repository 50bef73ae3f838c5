"""The verdict in a line: title of the check, first line of the comment, conclusion."""

from __future__ import annotations

from typing import Literal

from claude_pool_gh.findings.model import Finding
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.reports.neutralize import neutralize_line
from claude_pool_gh.reports.views import Reviewed
from claude_pool_gh.reports.words import count
from claude_pool_gh.terms.severity import Severity

Conclusion = Literal["success", "failure", "neutral", "cancelled", "action_required"]


def headline(outcome: Outcome, reviewed: Reviewed | None) -> str:
    """What came of it. Whatever is not a whole review says so first: GitHub shows neutral as a pass."""
    found = reviewed.confirmed if reviewed else ()
    files = reviewed.files if reviewed else 0
    reason = neutralize_line(outcome.reason, 240)
    match outcome.verdict:
        case Verdict.clean:
            return f"Nothing found in {count(files, 'file')}"
        case Verdict.findings:
            new = len(reviewed.new) if reviewed else 0
            open_ = f"{count(len(found), 'finding')} still open" if not new else f"{count(new, 'finding')}"
            more = f" and {len(found) - new} still open" if new and len(found) > new else ""
            return f"{open_}{more} in {count(files, 'file')}, the worst {found[0].severity}"
        case Verdict.answered:
            return "Done"
        case Verdict.skipped:
            return f"NOT REVIEWED: {reason}"
        case Verdict.quota:
            return f"NOT REVIEWED: {reason}"
        case Verdict.out_of_budget:
            return f"{_not_whole(found)}: out of budget" + (f" ({reason})" if reason else "")
        case Verdict.out_of_turns:
            return f"{_not_whole(found)}: out of turns"
        case Verdict.cancelled:
            return "NOT REVIEWED: cancelled"
        case Verdict.failed:
            return f"{_not_whole(found)}: {reason}"


def _not_whole(found: tuple[Finding, ...]) -> str:
    return f"PARTLY REVIEWED ({count(len(found), 'finding')})" if found else "NOT REVIEWED"


def conclusion(
    outcome: Outcome, found: tuple[Finding, ...], *, fail_on: str, on_error: Literal["neutral", "failure"]
) -> Conclusion:
    """The check run's conclusion. A run that did nothing is never green."""
    match outcome.verdict:
        case Verdict.clean | Verdict.answered:
            return "success"
        case Verdict.findings:
            return "failure" if _fails(found, fail_on) else "neutral"
        case Verdict.skipped | Verdict.quota:
            return "neutral"
        case Verdict.out_of_budget | Verdict.out_of_turns:
            return "action_required"
        case Verdict.cancelled:
            return "cancelled"
        case Verdict.failed:
            return on_error if outcome.ours else "failure"


def _fails(found: tuple[Finding, ...], fail_on: str) -> bool:
    return fail_on != "never" and any(finding.severity.rank >= Severity(fail_on).rank for finding in found)
