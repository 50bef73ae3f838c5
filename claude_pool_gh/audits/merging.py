"""One fault that was stated several times: by several parts, or by an earlier run. Pure.

The host knows it again by its lines and its title, or as a part of its lines. Of what else may be one fault a judge who
opens the code decides; here only that question is asked, and the answer held to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from claude_pool_gh.audits.stated import StatedMerge
from claude_pool_gh.audits.weighing import Candidate
from claude_pool_gh.findings.identity import overlap, repeats, told_again
from claude_pool_gh.findings.model import Finding
from claude_pool_gh.terms.severity import Severity

_MOST_ALIKE: Final = 12
_MOST_KNOWN: Final = 3
"""Open findings that a claim is held against: one that quotes a whole file would leave no room for other claims."""
_MOST_GROUPS: Final = 10


@dataclass(frozen=True, slots=True)
class Joined:
    """Each fault once."""

    new: Sequence[tuple[Candidate, tuple[Finding, ...]]]
    """The claims that are reported, each with the other places of its fault."""
    again: frozenset[str]
    """The names of open findings that were only stated in other words."""


@dataclass(frozen=True, slots=True)
class Apart:
    """The confirmed claims, without those that are open findings."""

    new: Sequence[Candidate]
    again: Mapping[str, Severity]
    """The names of the open findings that they are, with the worst severity that was confirmed of each."""


def apart(
    claims: Sequence[Candidate],
    open_: Sequence[Candidate],
    here: Collection[str],
    unjudged: Sequence[Candidate] = (),
) -> Apart:
    """Take the open findings out of the claims: one that is stated as worse than it proves to be comes each time.

    `here`: the names of the open findings whose place is known, which alone can become worse. `unjudged`: open ones of
    changed code, of which nobody could say whether they are fixed: where they stand by now is not known.
    """
    new: list[Candidate] = []
    again: dict[str, Severity] = {}
    for claim in claims:
        severity = claim.finding.severity
        placed = (
            each
            for each in open_
            if repeats(claim.finding, each.finding)
            and (each.mark in here or severity.rank <= each.finding.severity.rank)
        )
        others = (each for each in unjudged if told_again(claim.finding, each.finding))
        known = next(chain(placed, others), None)
        if known is None:
            new.append(claim)
        else:
            before = again.get(known.mark, known.finding.severity)
            again[known.mark] = max(before, severity, key=lambda each: each.rank)
    return Apart(new, again)


def alike(claims: Sequence[Candidate], open_: Sequence[Candidate] = ()) -> list[list[Candidate]]:
    """Groups of claims that may be one and the same fault, worst first, in at most so many groups.

    Those of one rule may be, and so may an open finding be, of whatever rule, whose lines one of them quotes.
    """
    by_rule: dict[str, list[Candidate]] = {}
    for each in sorted(claims, key=lambda each: -each.finding.severity.rank):
        by_rule.setdefault(each.rule, []).append(each)
    groups = (_with_known(group, open_)[:_MOST_ALIKE] for group in by_rule.values())
    return [group for group in groups if len(group) > 1][:_MOST_GROUPS]


def _with_known(group: Sequence[Candidate], open_: Sequence[Candidate]) -> list[Candidate]:
    """The claims, each before the open findings that it may be; those alone are no question."""
    found: dict[str, Candidate] = {}
    for claim in group:
        there = [known for known in open_ if overlap(known.finding, claim.finding)]
        nearest = sorted(there, key=lambda known: _distance(known.finding, claim.finding))
        found |= {each.mark: each for each in (claim, *nearest[:_MOST_KNOWN])}
    return list(found.values())


def _distance(one: Finding, other: Finding) -> int:
    return abs(one.start_line - other.start_line) + abs(one.end_line - other.end_line)


def joined(
    claims: Sequence[Candidate],
    groups: Sequence[Sequence[str]],
    judged: Sequence[Mapping[str, Any]],
    open_: Sequence[Candidate] = (),
) -> Joined:
    """Each fault once: the worst statement of it stays and has the places of the others.

    An open finding stays what it is. A claim that is worse than that is reported all the same. `groups` are the names
    that each judge was asked about: what it says of others counts for nothing.
    """
    new, known = {each.mark: each for each in claims}, {each.mark: each for each in open_}
    into: dict[str, str] = {}
    for asked, task in zip(groups, judged, strict=False):
        for same in _said(task):
            marks = [mark for mark in dict.fromkeys(same) if mark in asked]
            free = [
                mark
                for mark in marks
                if mark in new and mark not in into and mark not in into.values()
            ]
            if first := next((known[mark] for mark in marks if mark in known), None):
                into |= {
                    mark: first.mark
                    for mark in free
                    if new[mark].finding.severity.rank <= first.finding.severity.rank
                }
            elif len(free) > 1:
                worst = max(free, key=lambda mark: new[mark].finding.severity.rank)
                into |= dict.fromkeys((mark for mark in free if mark != worst), worst)
    kept = [
        (each, tuple(new[mark].finding for mark, first in into.items() if first == each.mark))
        for each in claims
        if each.mark not in into
    ]
    return Joined(kept, frozenset(into.values()) & known.keys())


def _said(task: Mapping[str, Any]) -> list[tuple[str, ...]]:
    try:
        stated = StatedMerge.model_validate(task.get("structured") or {})
    except ValueError:
        return []
    return [each.ids for each in stated.same]
