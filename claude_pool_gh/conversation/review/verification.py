"""Joins each claim with what its second reader says. Pure.

A judgement counts only where its run opened the file that it is about; every claim ends in exactly one list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from claude_pool_gh.conversation.review.questions import CLAIM, KNOWN, finding_of
from claude_pool_gh.conversation.review.stated import remark
from claude_pool_gh.findings.model import Finding, Judgement, NewPlace
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.reports.views import Remark
from claude_pool_gh.terms.severity import Severity

_SETTLES: Final = {CLAIM: ("confirmed", "refuted"), KNOWN: ("still", "fixed")}
_BODY_LIMIT: Final = 4_000


@dataclass(frozen=True, slots=True)
class FoundAgain:
    """An open finding that a reader found again in the changed code."""

    finding: Finding
    place: NewPlace | None
    """Where that reader saw it."""
    now: Finding | None
    """Where this run's first reader stated it again."""


@dataclass(slots=True)
class Verification:
    """The claims after the second look."""

    confirmed: list[Finding] = field(default_factory=list)
    refuted: list[Remark] = field(default_factory=list)
    unsettled: list[Remark] = field(default_factory=list)
    before: list[Remark] = field(default_factory=list)
    """True, but not of this change."""
    still: list[FoundAgain] = field(default_factory=list)
    fixed: list[Finding] = field(default_factory=list)
    unchecked: list[tuple[Finding, str]] = field(default_factory=list)
    """Open findings of which nobody could say whether they are fixed, with the reason: they stay open."""
    broken: list[Mapping[str, Any]] = field(default_factory=list)
    """Runs about new claims that ended without an answer."""


def verify_claims(
    candidates: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    reread: Mapping[int, Mapping[str, Any]] | None = None,
) -> Verification:
    """Join each candidate with its judgement, or where that settles nothing with that of another reader."""
    found = Verification()
    for at, (candidate, first) in enumerate(zip(candidates, judged, strict=True)):
        answers = [
            _answer(candidate, task) for task in (first, (reread or {}).get(at)) if task is not None
        ]
        answer = next((each for each in answers if each.settles), answers[-1])
        if candidate["kind"] == KNOWN:
            _weigh_known(found, candidate, answer)
        else:
            _weigh_claim(found, candidate, answer)
            if answer.broke:
                found.broken.append(answer.task)
    return found


def doubtful(
    candidates: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The critical claims that one reader did not settle, though it came to an end: they get another one."""
    for at, (candidate, task) in enumerate(zip(candidates, judged, strict=True)):
        answer = _answer(candidate, task)
        worst = max(_severities(candidate, answer), key=lambda each: each.rank)
        if not answer.settles and not answer.broke and worst is Severity.critical:
            yield at, candidate


@dataclass(frozen=True, slots=True)
class _Answer:
    """One run's word on one candidate, as far as it counts."""

    task: Mapping[str, Any]
    judgement: Judgement | None
    reason: str
    settles: bool = False

    @property
    def broke(self) -> bool:
        """True where the run ended without an answer."""
        return self.judgement is None and self.task.get("ending") != Ending.completed


def _answer(candidate: Mapping[str, Any], task: Mapping[str, Any]) -> _Answer:
    judgement = _judgement(task)
    if judgement is None:
        ended = task.get("ending") != Ending.completed
        why = (
            f"not verified: {task.get('reason') or 'the run failed'}"
            if ended
            else "no clear answer"
        )
        return _Answer(task, None, why)
    if judgement.verdict not in _SETTLES[candidate["kind"]]:
        return _Answer(task, judgement, judgement.reason)
    if not opened(task, candidate):
        return _Answer(task, judgement, "its second reader answered without opening the file")
    return _Answer(task, judgement, judgement.reason, settles=True)


def opened(task: Mapping[str, Any], candidate: Mapping[str, Any]) -> bool:
    """True where a run opened the file that a candidate names, or of a file that is gone anything at all."""
    files = files_opened(task)
    place = (task.get("structured") or {}).get("place")
    elsewhere = str(place.get("path")).removeprefix("./") if isinstance(place, Mapping) else None
    if not candidate["exists"]:
        return bool(files or (task.get("looked_at") or {}).get("searches"))
    return bool({finding_of(candidate).path, elsewhere} & files)


def files_opened(task: Mapping[str, Any]) -> set[str]:
    """The files that a run opened, as the host saw it."""
    return {
        str(path).removeprefix("./") for path in (task.get("looked_at") or {}).get("files") or ()
    }


def _weigh_claim(found: Verification, candidate: Mapping[str, Any], answer: _Answer) -> None:
    finding = finding_of(candidate)
    others = [Finding.model_validate(each) for each in candidate["others"]]
    apart = [each for each in others if each.title.casefold() != finding.title.casefold()]
    judgement = answer.judgement
    if not answer.settles or judgement is None:
        found.unsettled += [remark(each, answer.reason) for each in (finding, *apart)]
    elif judgement.verdict == "refuted":
        found.refuted.append(remark(finding, answer.reason))
        why = f"stated of the same lines as {finding.title!r}, which was refuted; not verified by itself"
        found.unsettled += [remark(each, why) for each in apart]
    elif judgement.introduced or candidate["added"]:
        # lines that the change brings were not there before
        found.confirmed.append(_confirmed(finding, judgement, apart))
    else:
        found.before.append(remark(finding, answer.reason))
        why = f"stated of the same lines as {finding.title!r}, which was there before; not verified by itself"
        found.unsettled += [remark(each, why) for each in apart]


def _weigh_known(found: Verification, candidate: Mapping[str, Any], answer: _Answer) -> None:
    finding = finding_of(candidate)
    now = None if candidate["now"] is None else Finding.model_validate(candidate["now"])
    judgement = answer.judgement
    if not answer.settles or judgement is None:
        found.unchecked.append((finding, answer.reason))
    elif judgement.verdict == "fixed":
        found.fixed.append(finding)
        if now is not None:  # which may be another defect under the same title
            why = f"stated as {finding.title!r} again, which is fixed; not verified by itself"
            found.unsettled.append(remark(now, why))
    else:
        found.still.append(FoundAgain(finding, judgement.place, now))


def _confirmed(finding: Finding, judgement: Judgement, others: Sequence[Finding]) -> Finding:
    """As it is posted: with the second reader's severity, and a suggestion only where that reader says it works."""
    said = "".join(f"\n\nAlso stated of these lines: {each.title}" for each in others)
    return finding.model_copy(
        update={
            "severity": judgement.severity or finding.severity,
            "suggestion": finding.suggestion if judgement.suggestion == "fixes" else None,
            "body": finding.body[: _BODY_LIMIT - len(said)] + said
            if len(said) < _BODY_LIMIT
            else finding.body,
        }
    )


def _severities(candidate: Mapping[str, Any], answer: _Answer) -> Iterator[Severity]:
    yield finding_of(candidate).severity
    if answer.judgement is not None and answer.judgement.severity is not None:
        yield answer.judgement.severity


def _judgement(task: Mapping[str, Any]) -> Judgement | None:
    try:
        return Judgement.model_validate(task.get("structured") or {})
    except ValidationError:
        return None
