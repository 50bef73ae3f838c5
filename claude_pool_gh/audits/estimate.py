"""Estimates what an audit will cost and how long it will take, and decides how much of it a budget reaches. Pure.

Agents read files more than once, so the tokens of the tree are the smaller half. The price is therefore that of a
token of a file: what this repository's earlier runs have paid for one, verification included. Before there are any, the
prices that other tools have published stand in, and they lie far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.audits.model import Estimate, Range, Shard

_PUBLISHED: Final = (14.0, 40.0, 260.0)
"""Microdollars for each token of a file: the lowest and the highest published price, and a likely one."""
_SECONDS: Final = (60.0, 150.0, 480.0)
"""Seconds of a shard on its slot, before there are runs of one's own."""
_MOST_RUNS: Final = 10
"""Newest runs that count."""
_SPREAD: Final = 1.5
"""One or two runs say little of the next: they count for so much less, and so much more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """The amount that an earlier run of the same audit has read, and what that took."""

    tokens: int
    cost: int
    """Microdollars."""
    seconds: float
    """Of all its agents that read, added up."""
    shards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The cost of a token of a file in microdollars, and the seconds that a shard takes: low, likely and high."""

    cost: tuple[float, float, float]
    seconds: tuple[float, float, float]
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The shards that a budget reaches, and those that it does not."""

    within: tuple[Shard, ...]
    beyond: tuple[Shard, ...]


def rates(past: Sequence[PastRun]) -> Rates:
    """The rates that earlier runs, the newest first, have shown."""
    told = [run for run in past if run.tokens > 0 and run.shards > 0 and run.cost > 0][:_MOST_RUNS]
    if not told:
        return Rates(cost=_PUBLISHED, seconds=_SECONDS, runs=0)
    costs = sorted(run.cost / run.tokens for run in told)
    seconds = sorted(run.seconds / run.shards for run in told)
    return Rates(cost=_spread(costs), seconds=_spread(seconds), runs=len(told))


def estimate(shards: Sequence[Shard], by: Rates, slots: int) -> Estimate:
    """The needs of these shards on so many slots, as estimated."""
    tokens = sum(shard.tokens for shard in shards)
    rounds = -(-len(shards) // max(1, slots))
    return Estimate(
        tokens=tokens,
        cost=Range(**_numbers(by.cost, tokens)),
        seconds=Range(**_numbers(by.seconds, rounds)),
        runs=by.runs,
    )


def reach(shards: Sequence[Shard], by: Rates, budget: int) -> Reach:
    """As many of the shards, in their order, as the budget will likely pay for: at least one.

    A shard that is too dear is passed over for the next one that is not.
    """
    within: list[Shard] = []
    beyond: list[Shard] = []
    left = float(budget)
    for shard in shards:
        price = shard.tokens * by.cost[1]
        if price <= left or not within:
            within.append(shard)
            left -= price
        else:
            beyond.append(shard)
    return Reach(within=tuple(within), beyond=tuple(beyond))


def _spread(sorted_: Sequence[float]) -> tuple[float, float, float]:
    """Low, middle and high of some numbers in their order."""
    middle = sorted_[len(sorted_) // 2]
    low, high = sorted_[len(sorted_) // 10], sorted_[(len(sorted_) * 9) // 10]
    if len(sorted_) < 3:
        return min(low, middle / _SPREAD), middle, max(high, middle * _SPREAD)
    return low, middle, high


def _numbers(each: tuple[float, float, float], times: int) -> dict[str, int]:
    return {
        name: round(value * times)
        for name, value in zip(("low", "likely", "high"), each, strict=True)
    }
