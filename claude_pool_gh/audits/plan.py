"""Makes the plan of an audit from what is known of a commit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from claude_pool_gh.audits.estimate import Rates, Reach, estimate, reach
from claude_pool_gh.audits.model import AuditPlan, Cut, Shard, SkippedFile, SkipReason, SourceFile
from claude_pool_gh.audits.risk import Signals, riskiest_first
from claude_pool_gh.audits.shards import cut

MOST_SHARDS: Final = 500
"""Shards of one run; what is beyond waits for the next, and is said."""
_LISTED_BEYOND: Final = 5_000
"""Paths that are kept of what is not read; the others are counted."""
_LISTED_SKIPPED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """Everything that a plan is made from, besides the files."""

    audit: str
    repository: str
    commit: str
    branch: str
    by: Cut
    group_of: Callable[[str], str]
    signals: Signals
    rates: Rates
    budget: int
    slots: int
    only: tuple[str, ...] = ()
    unread_since: str = ""
    notices: tuple[str, ...] = ()


def in_order(files: Sequence[SourceFile], facts: PlanFacts) -> list[Shard]:
    """The shards of these files, the greatest risk first."""
    return riskiest_first(cut(files, facts.by, facts.group_of), facts.signals)


def reached(ordered: Sequence[Shard], facts: PlanFacts) -> Reach:
    """Divide shards at the budget, and at the most of one run."""
    found = reach(ordered[:MOST_SHARDS], facts.rates, facts.budget)
    return Reach(within=found.within, beyond=(*found.beyond, *ordered[MOST_SHARDS:]))


def make_plan(
    ordered: Sequence[Shard], skipped: Sequence[SkippedFile], facts: PlanFacts
) -> AuditPlan:
    """Price shards that are in order, and divide them at the budget."""
    divided = reached(ordered, facts)
    return AuditPlan(
        audit=facts.audit,
        repository=facts.repository,
        commit=facts.commit,
        branch=facts.branch,
        by=facts.by,
        shards=divided.within,
        beyond=_shortened(divided.beyond),
        skipped=_joined(skipped),
        estimate=estimate(ordered, facts.rates, facts.slots),
        budget=facts.budget,
        slots=facts.slots,
        only=facts.only,
        notices=facts.notices,
        unread_since=facts.unread_since,
    )


def shrunk(shard: Shard, kept: Mapping[str, SourceFile]) -> Shard | None:
    """A shard without those of its files that turned out, by their content, not to be read; None where none is left."""
    paths = tuple(path for path in shard.paths if path in kept)
    if not paths:
        return None
    tokens = sum(kept[path].tokens for path in paths)
    size = sum(kept[path].size for path in paths)
    return replace(shard, paths=paths, tokens=tokens, size=size)


def _shortened(shards: Sequence[Shard]) -> tuple[Shard, ...]:
    """Shards that are not read, with no more paths than are kept."""
    left = _LISTED_BEYOND
    told = []
    for shard in shards:
        paths = shard.paths[:left]
        left -= len(paths)
        told.append(replace(shard, paths=paths, unlisted=shard.files - len(paths)))
    return tuple(told)


def _joined(skipped: Sequence[SkippedFile]) -> tuple[SkippedFile, ...]:
    """The files left out, a line each; where that is too much, those beyond in a line for each reason."""
    ordered = sorted(skipped, key=lambda each: (not each.overridden, each.path))
    more: dict[SkipReason, int] = {}
    for each in ordered[_LISTED_SKIPPED:]:
        more[each.reason] = more.get(each.reason, 0) + each.files
    rest = [SkippedFile(path="/", reason=why, files=number) for why, number in more.items()]
    return (*ordered[:_LISTED_SKIPPED], *rest)
