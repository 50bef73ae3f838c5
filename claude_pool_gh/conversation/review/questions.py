"""The questions to a second reader: the claim and the code before and after, never the first reader's argument.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_pool_gh.findings.model import Finding

CLAIM: Final = "claim"
KNOWN: Final = "known"

_CLAIM_QUESTION: Final = (
    "Is this claim true of the code in this folder? Open the file that it names before you answer: an answer by a run "
    "that did not open it does not count. Answer with confirmed, refuted or unsure."
)
_KNOWN_QUESTION: Final = (
    "This defect was reported at an earlier commit, and its code, or code around it or that it names, has changed "
    "since. Is the defect still in the code in this folder, in whatever lines, file or form? Open the file that it "
    "names, or the one that holds the code now, before you answer: an answer by a run that opened none does not count. "
    "Answer with still, fixed or unsure. That the quoted lines are gone, or are as they were, proves nothing: a check "
    "above them, in what they call or in their callers may have fixed it. With still, `place` says where the defect "
    "stands now."
)


def of_claim(
    finding: Finding, hunk: str, *, others: Sequence[Finding], exists: bool, added: bool
) -> dict[str, Any]:
    """One task of the step `verify`: whether a new claim is true."""
    parts = [_stated(finding)]
    if others:
        said = "\n".join(f"- {each.title}" for each in others)
        parts.append(f"Also stated of these lines:\n{said}")
    if finding.suggestion is not None:
        parts.append(f"The suggestion, in place of exactly the quoted lines:\n{finding.suggestion}")
    parts.append(
        f"What this pull request changes there (lines with - are before, with + after):\n{hunk}"
        if hunk
        else "This pull request does not change these lines or those around them."
    )
    return {
        "kind": CLAIM,
        "title": f"{finding.path}:{finding.start_line}",
        "claim": "\n\n".join(parts),
        "question": _CLAIM_QUESTION,
        "finding": finding.model_dump(mode="json"),
        "others": [each.model_dump(mode="json") for each in others],
        "exists": exists,
        "added": added,
    }


def of_known(finding: Finding, change: str, *, now: Finding | None, exists: bool) -> dict[str, Any]:
    """One task of the step `verify`: whether an open finding whose code has changed is fixed."""
    parts = [_stated(finding)]
    parts.append(
        f"What has changed there since it was reported (lines with - are before, with + after):\n{change}"
        if change
        else "What exactly has changed there since is not known."
    )
    if now is not None:
        parts.append(
            f"The reader of this commit states it again, in {_lines(now)}:\n{now.evidence}\nScenario: {now.scenario}"
        )
    return {
        "kind": KNOWN,
        "title": f"{finding.path}:{finding.start_line} (known)",
        "claim": "\n\n".join(parts),
        "question": _KNOWN_QUESTION,
        "finding": finding.model_dump(mode="json"),
        "now": None if now is None else now.model_dump(mode="json"),
        "exists": exists,
    }


def finding_of(candidate: Mapping[str, Any]) -> Finding:
    """The finding that a task of the step is about."""
    return Finding.model_validate(candidate["finding"])


def _stated(finding: Finding) -> str:
    return f"In {_lines(finding)}:\n\n{finding.evidence}\n\nClaim: {finding.title}\nScenario: {finding.scenario}"


def _lines(finding: Finding) -> str:
    before = " of the file as it was before the change" if finding.side == "LEFT" else ""
    return f"{finding.path}, lines {finding.start_line} to {finding.end_line}{before}"
