"""Decides what a review came to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.conversation.review.stated import is_typed
from claude_pool_gh.conversation.review.verification import files_opened
from claude_pool_gh.findings.identity import repeats
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.findings.spots import Shown, spot
from claude_pool_gh.pool.model.endings import ending_of, gravity, verdict_of
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.reports.words import count

_WHOLE: Final = (Verdict.clean, Verdict.findings)


@dataclass(frozen=True, slots=True)
class Placement:
    """The place at which each confirmed finding is shown."""

    inline: tuple[Finding, ...]
    more: tuple[Finding, ...]
    outside: tuple[Finding, ...]


def place(confirmed: Sequence[Finding], shown: Shown, most_inline: int) -> Placement:
    """Inline where GitHub takes a comment, at most `most_inline`; all others are listed, and none is lost."""
    within = [finding for finding in confirmed if spot(finding, shown) is not None]
    outside = [finding for finding in confirmed if spot(finding, shown) is None]
    return Placement(tuple(within[:most_inline]), tuple(within[most_inline:]), tuple(outside))


def unopened(groups: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parts that were answered from the diff alone.

    One that was not answered at all, for want of money or turns, is no such part: the outcome speaks of that. Of a part
    whose files are all gone there is nothing to open; then a search is a look at what is left.
    """
    told = []
    for group, task in zip(groups, found, strict=True):
        if not _is_done(task):
            continue
        only_gone = set(group["paths"]) <= set(group["gone"])
        searched = only_gone and (task.get("looked_at") or {}).get("searches")
        if not (files_opened(task) or searched):
            told.append(str(group["title"]))
    return told


def conclude(  # noqa: PLR0913 - each is one thing that keeps a review from being green
    found: Sequence[Mapping[str, Any]],
    broken: Sequence[Mapping[str, Any]],
    *,
    confirmed: int,
    unsettled: int = 0,
    unopened: int = 0,
    unread: int = 0,
    not_read: str = "",
    only: Sequence[str] = (),
    nothing: str = "",
    is_read: bool = False,
) -> Outcome:
    """The outcome: clean only where everything was read by somebody who opened it, and every claim is settled.

    `broken` are the runs that should have verified claims and gave no answer; `confirmed` counts what is wrong at this
    head, also what earlier runs posted; `only` are the paths it was told; `nothing` says why there was nothing to read,
    `not_read` which files could not be read; `is_read`: what was not read now was read whole by an earlier review.
    """
    for tasks, what in (
        ([task for task in found if not _is_done(task)], "read"),
        (broken, "verified"),
    ):
        if tasks:
            return _not_whole(tasks, len(found) if what == "read" else 0, what)
    if not all(map(is_typed, found)) or not (found or nothing or is_read):
        reason = (
            "an agent's result is not of the form asked for" if found else "no agent read anything"
        )
        return Outcome(verdict=Verdict.failed, reason=reason, ours=True)
    if unread:
        were = "was" if unread == 1 else "were"
        reason = f"the change is too large for one review; {count(unread, 'file')} {were} not read"
        return Outcome(verdict=Verdict.out_of_budget, reason=reason)
    open_ = ", ".join(filter(None, (not_read, *_words(unsettled, unopened))))
    if confirmed:
        return Outcome(verdict=Verdict.findings, reason=open_)
    if open_:
        return Outcome(verdict=Verdict.unsettled, reason=open_)
    if only:
        return Outcome(
            verdict=Verdict.skipped, reason=f"nothing found, but only {', '.join(only)} was read"
        )
    if nothing:
        return Outcome(verdict=Verdict.skipped, reason=nothing)
    return Outcome(verdict=Verdict.clean)


def without_generated(outcome: Outcome, generated: Sequence[str]) -> Outcome:
    """The outcome where files look generated and nobody read them: not clean, or a changed lock file would be green.

    A later review builds on what was read all the same: nobody will have read them then either.
    """
    if not generated or outcome.verdict not in (*_WHOLE, Verdict.unsettled):
        return outcome
    more = f" and {len(generated) - 2} more" if len(generated) > 2 else ""
    looks = "looks" if len(generated) == 1 else "look"
    was = "was" if len(generated) == 1 else "were"
    told = f"{', '.join(generated[:2])}{more} {looks} generated and {was} not read"
    verdict = Verdict.unsettled if outcome.verdict is Verdict.clean else outcome.verdict
    reason = f"{outcome.reason}, {told}" if outcome.reason else told
    return Outcome(verdict=verdict, reason=reason)


def is_whole(outcome: Outcome) -> bool:
    """True where everything that was to be read was read, and every claim settled: what a later review may build on."""
    return outcome.verdict in _WHOLE and not outcome.reason


def _words(unsettled: int, unopened: int) -> tuple[str, str]:
    claims = f"{count(unsettled, 'claim')} could not be settled" if unsettled else ""
    return claims, f"{count(unopened, 'part')} answered from the diff alone" if unopened else ""


def _is_done(task: Mapping[str, Any]) -> bool:
    return task.get("ending") == Ending.completed


def _not_whole(broken: Sequence[Mapping[str, Any]], total: int, what: str) -> Outcome:
    worst = min(broken, key=lambda task: gravity(ending_of(task)))
    reason = str(worst.get("reason", ""))
    if what == "verified":
        reason = f"{count(len(broken), 'claim')} could not be verified: {reason}"
    elif total > 1:
        reason = f"{len(broken)} of {total} parts could not be read: {reason}"
    operator = any(task.get("operator") for task in broken)
    return Outcome(
        verdict=verdict_of(ending_of(worst)), reason=reason, ours=True, operator=operator
    )


def without_known(
    confirmed: Sequence[Finding], found_again: Sequence[Finding], standing: Sequence[Finding]
) -> tuple[list[Finding], list[Finding]]:
    """New findings, without those that repeat an open one, and the open ones at the worse severity.

    Quotes of one defect differ by a line from run to run. What is worse in other words, or quotes other lines too, is
    another defect: it would be gone with the one that it was taken for, as soon as that is fixed.
    """
    new, known = [], [*found_again, *standing]
    for finding in confirmed:
        at = next((at for at, each in enumerate(known) if repeats(finding, each)), None)
        if at is None:
            new.append(finding)
        elif finding.severity.rank > known[at].severity.rank:
            known[at] = known[at].model_copy(update={"severity": finding.severity})
    return new, known
