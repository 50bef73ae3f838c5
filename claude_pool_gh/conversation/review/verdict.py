"""Decides what a review came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from claude_pool_gh.findings.model import Finding, Findings, Judgement
from claude_pool_gh.findings.spots import Shown, spot
from claude_pool_gh.pool.outcomes import Outcome, Verdict
from claude_pool_gh.pool.ports import Ending

_WORST_FIRST: Final = (
    Ending.quota,
    Ending.out_of_budget,
    Ending.out_of_turns,
    Ending.timed_out,
    Ending.failed,
    Ending.cancelled,
)
_VERDICTS: Final = {
    Ending.quota: Verdict.quota,
    Ending.out_of_budget: Verdict.out_of_budget,
    Ending.out_of_turns: Verdict.out_of_turns,
    Ending.cancelled: Verdict.cancelled,
}


@dataclass(frozen=True, slots=True)
class Weighed:
    """The candidates after the second look."""

    confirmed: tuple[Finding, ...]
    refuted: int
    unsure: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Where each confirmed finding is shown."""

    inline: tuple[Finding, ...]
    more: tuple[Finding, ...]
    outside: tuple[Finding, ...]


def weigh(candidates: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]]) -> Weighed:
    """Join each candidate with its judgement. Without a clear one it is unsure, and unsure is not posted."""
    confirmed: list[Finding] = []
    refuted = unsure = 0
    for candidate, task in zip(candidates, judged, strict=True):
        match _judgement(task):
            case "confirmed":
                confirmed.append(Finding.model_validate(candidate["finding"]))
            case "refuted":
                refuted += 1
            case _:
                unsure += 1
    return Weighed(tuple(confirmed), refuted, unsure)


def place(confirmed: Sequence[Finding], shown: Shown, most_inline: int) -> Placed:
    """Inline where GitHub takes a comment, at most `most_inline`; all others are listed, and none is lost."""
    within = [finding for finding in confirmed if spot(finding, shown) is not None]
    outside = [finding for finding in confirmed if spot(finding, shown) is None]
    return Placed(tuple(within[:most_inline]), tuple(within[most_inline:]), tuple(outside))


def conclude(
    found: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    *,
    confirmed: int,
    unread: int = 0,
    not_read: str = "",
    unverified: int = 0,
    only: Sequence[str] = (),
) -> Outcome:
    """The outcome. A review that did not read everything is never clean, whatever it found.

    `confirmed` counts what is wrong at this head, also what earlier runs posted; `only` are the paths it was told.
    `not_read` says in words which files could not be read.
    """
    for tasks, what in ((found, "be read"), (judged, "be verified")):
        broken = [task for task in tasks if task.get("ending") != Ending.completed]
        if broken:
            return _not_whole(broken, len(tasks), what)
    unreadable = [task for task in found if not _is_typed(task)]
    if unreadable or not found:
        reason = "an agent's result is not of the form asked for" if found else "no agent read anything"
        return Outcome(verdict=Verdict.failed, reason=reason, ours=True)
    if unread:
        reason = f"the change is too large for one review; {unread} files were not read"
        return Outcome(verdict=Verdict.out_of_budget, reason=reason)
    if unverified:
        return Outcome(verdict=Verdict.out_of_budget, reason=f"{unverified} claims were not verified")
    if confirmed:
        return Outcome(verdict=Verdict.findings)
    if not_read:
        return Outcome(verdict=Verdict.skipped, reason=f"nothing found, but {not_read}")
    if only:
        return Outcome(verdict=Verdict.skipped, reason=f"nothing found, but only {', '.join(only)} was read")
    return Outcome(verdict=Verdict.clean)


def _is_typed(task: Mapping[str, Any]) -> bool:
    try:
        Findings.model_validate(task.get("structured"))
    except ValidationError:
        return False
    return True


def _not_whole(broken: Sequence[Mapping[str, Any]], total: int, what: str) -> Outcome:
    worst = min(broken, key=lambda task: _WORST_FIRST.index(Ending(task.get("ending", Ending.failed))))
    ending = Ending(worst.get("ending", Ending.failed))
    part = f"{len(broken)} of {total} parts could not {what}: " if total > 1 else ""
    return Outcome(
        verdict=_VERDICTS.get(ending, Verdict.failed), reason=f"{part}{worst.get('reason', '')}", ours=True
    )


def _judgement(task: Mapping[str, Any]) -> str:
    try:
        return Judgement.model_validate(task.get("structured") or {}).verdict
    except ValidationError:
        return "unsure"
