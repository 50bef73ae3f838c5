"""Joins each claim with what its second reader says. Pure.

A judgement counts only where its run opened the file that it is about. Every claim ends in exactly one list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from claude_pool_gh.audits.model import UnsettledClaim
from claude_pool_gh.audits.stated import StatedJudgement
from claude_pool_gh.findings.model import Finding, NewPlace, StatedModel
from claude_pool_gh.pool.model.ports import Ending


class Candidate(StatedModel):
    """The subject that one second reader is asked about: a new claim, or a known finding whose code has changed."""

    kind: Literal["claim", "known"]
    mark: str
    """The name of the finding."""
    rule: str
    finding: Finding
    others: tuple[Finding, ...] = ()
    """Other statements of the same lines."""
    exists: bool = True
    """Whether its file is there."""


@dataclass(slots=True)
class Weighed:
    """The claims after the second look."""

    confirmed: list[Candidate] = field(default_factory=list)
    refuted: list[Candidate] = field(default_factory=list)
    unsettled: list[UnsettledClaim] = field(default_factory=list)
    still: list[tuple[Candidate, NewPlace | None]] = field(default_factory=list)
    fixed: list[Candidate] = field(default_factory=list)
    unchecked: list[Candidate] = field(default_factory=list)
    """Known findings of which nobody could say whether they are fixed: they stay open."""
    broken: list[Mapping[str, Any]] = field(default_factory=list)
    """Runs that ended without an answer."""


def weigh(candidates: Sequence[Candidate], judged: Sequence[Mapping[str, Any]]) -> Weighed:
    """Join each candidate with its judgement. Raises ValueError where their numbers differ."""
    found = Weighed()
    for candidate, task in zip(candidates, judged, strict=True):
        judgement = _judgement(task)
        if judgement is None and task.get("ending") != Ending.completed:
            found.broken.append(task)
        why = _open_question(candidate, task, judgement)
        if why or judgement is None:
            if candidate.kind == "known":
                found.unchecked.append(candidate)
            else:
                found.unsettled.append(unsettled(candidate.finding, why))
        else:
            _settle(found, candidate, judgement)
    return found


def _open_question(
    candidate: Candidate, task: Mapping[str, Any], judgement: StatedJudgement | None
) -> str:
    """The reason why a judgement settles nothing; "" where it does."""
    if judgement is None:
        ended = task.get("ending") != Ending.completed
        return f"not verified: {task.get('reason') or 'the run failed'}" if ended else "no answer"
    settles = ("confirmed", "refuted") if candidate.kind == "claim" else ("still", "fixed")
    if judgement.verdict not in settles:
        return judgement.reason
    if not _opened(candidate, task, judgement):
        return "its second reader answered without opening the file"
    return ""


def _settle(found: Weighed, candidate: Candidate, judgement: StatedJudgement) -> None:
    match judgement.verdict:
        case "confirmed":
            found.confirmed.append(_confirmed(candidate, judgement))
        case "refuted":
            found.refuted.append(candidate)
            found.unsettled += [
                unsettled(
                    other,
                    f"stated of the same lines as {candidate.finding.title!r}, which was refuted",
                )
                for other in candidate.others
                if other.title.casefold() != candidate.finding.title.casefold()
            ]
        case "still":
            found.still.append((candidate, judgement.place))
        case "fixed":
            found.fixed.append(candidate)
        case "unsure":
            raise ValueError("an unsure judgement settles nothing")


def _confirmed(candidate: Candidate, judgement: StatedJudgement) -> Candidate:
    """As it is reported: with the second reader's severity, and a suggestion only where that reader says it works."""
    suggestion = candidate.finding.suggestion if judgement.suggestion == "fixes" else None
    told = {"severity": judgement.severity, "suggestion": suggestion}
    return candidate.model_copy(update={"finding": candidate.finding.model_copy(update=told)})


def unsettled(finding: Finding, reason: str) -> UnsettledClaim:
    """A claim as it is named where it is no finding."""
    return UnsettledClaim(
        title=finding.title,
        path=finding.path,
        line=finding.start_line,
        severity=finding.severity,
        reason=reason,
    )


def _judgement(task: Mapping[str, Any]) -> StatedJudgement | None:
    try:
        return StatedJudgement.model_validate(task.get("structured") or {})
    except ValidationError:
        return None


def files_opened(task: Mapping[str, Any]) -> frozenset[str]:
    """The files that a run opened, as the host saw it."""
    looked = task.get("looked_at") or {}
    return frozenset(str(path).removeprefix("./") for path in looked.get("files") or ())


def _opened(candidate: Candidate, task: Mapping[str, Any], judgement: StatedJudgement) -> bool:
    """True where a run opened the file that it is about, or of a file that is gone anything at all."""
    files = files_opened(task)
    if not candidate.exists:
        return bool(files or (task.get("looked_at") or {}).get("searches"))
    elsewhere = {judgement.place.path.removeprefix("./")} if judgement.place else set()
    return bool({candidate.finding.path, *elsewhere} & files)
