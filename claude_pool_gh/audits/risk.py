"""Puts the shards first in which a defect is likeliest, by signals that cost nothing. Pure.

What no run has read as it is now counts most; then what a failed check names, what had findings before, what changes
often, what nobody owns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from claude_pool_gh.audits.model import Risk, Shard

_CHANGED: Final = 3.0
_FAILING: Final = 2.0
_CHURN: Final = 1.0
_FOUND: Final = 1.5
_UNOWNED: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """The facts that are known of paths without reading them."""

    changed: Collection[str] = frozenset()
    """Not read by any run as they are now."""
    failing: Collection[str] = frozenset()
    """Named by a check that failed at this commit."""
    commits: Mapping[str, int] = field(default_factory=dict)
    """How many of the newest commits touched a path."""
    found: Mapping[str, int] = field(default_factory=dict)
    """How many findings a path has or had."""
    is_owned: Callable[[str], bool] | None = None
    """Whether anybody owns a path; None: this repository has no owners."""


def riskiest_first(shards: Iterable[Shard], signals: Signals) -> list[Shard]:
    """The shards with their risks, the greatest first; equals keep their order."""
    told = [replace(shard, risk=risk_of(shard.paths, signals)) for shard in shards]
    return sorted(told, key=lambda shard: -shard.risk.score)


def risk_of(paths: Sequence[str], signals: Signals) -> Risk:
    """The risk of some files: the sum of its signals, rounded, so that the same facts give the same order."""
    number = max(1, len(paths))
    parts = {
        "changed": _CHANGED * sum(path in signals.changed for path in paths) / number,
        "failing": _FAILING * any(path in signals.failing for path in paths),
        "churn": _CHURN * math.log2(1 + sum(signals.commits.get(path, 0) for path in paths)) / 4,
        "findings": _FOUND * math.log2(1 + sum(signals.found.get(path, 0) for path in paths)) / 2,
    }
    if signals.is_owned is not None:
        unowned = sum(not signals.is_owned(path) for path in paths)
        parts["no owner"] = _UNOWNED * unowned / number
    told = {name: round(value, 2) for name, value in parts.items() if round(value, 2)}
    return Risk(score=round(sum(told.values()), 2), signals=told)
