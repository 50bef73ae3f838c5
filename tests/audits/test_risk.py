"""The risk of files: each signal counts by itself, by as much as it says, and what says nothing is not named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from claude_pool_gh.audits.model import Risk, Shard
from claude_pool_gh.audits.risk import Signals, risk_of, riskiest_first

FILES = ("a.py", "b.py", "c.py", "d.py")


@pytest.mark.parametrize(
    ("signals", "named"),
    [
        ({}, {}),
        ({"changed": {"a.py"}}, {"changed": 0.75}),
        ({"changed": set(FILES)}, {"changed": 3.0}),
        ({"failing": {"a.py"}}, {"failing": 2.0}),
        ({"failing": set(FILES)}, {"failing": 2.0}),
        ({"commits": {"a.py": 1}}, {"churn": 0.25}),
        ({"commits": {"a.py": 1, "b.py": 2}}, {"churn": 0.5}),
        ({"found": {"a.py": 1}}, {"findings": 0.75}),
        ({"found": {"a.py": 1, "d.py": 2}}, {"findings": 1.5}),
        ({"is_owned": lambda _: False}, {"no owner": 0.5}),
        ({"is_owned": lambda path: path != "a.py"}, {"no owner": 0.12}),
        ({"is_owned": lambda _: True}, {}),
        ({"changed": {"z.py"}, "failing": {"z.py"}, "commits": {"z.py": 9}}, {}),
    ],
)
def test_each_signal_counts_as_much_as_it_says(
    signals: dict[str, Any], named: dict[str, float]
) -> None:
    found = risk_of(FILES, Signals(**signals))
    assert found == Risk(score=round(sum(named.values()), 2), signals=named)


def test_the_score_is_the_sum_of_what_is_named() -> None:
    everything = Signals(
        changed={"a.py"},
        failing={"b.py"},
        commits={"c.py": 5},
        found={"d.py": 2},
        is_owned=lambda _: False,
    )
    found = risk_of(FILES, everything)
    assert list(found.signals) == ["changed", "failing", "churn", "findings", "no owner"]
    assert found.score == pytest.approx(sum(found.signals.values()))


def test_no_files_have_no_risk() -> None:
    assert risk_of([], Signals(changed={"a.py"}, is_owned=lambda _: False)) == Risk()


def shard(name: str, *paths: str) -> Shard:
    return Shard(id=name, title=name, paths=paths, tokens=1, size=1)


def ordered(shards: Sequence[Shard], signals: Signals) -> list[str]:
    return [each.id for each in riskiest_first(shards, signals)]


def test_equals_keep_their_order_and_nothing_is_lost() -> None:
    shards = [shard(name, f"{name}.py") for name in ("one", "two", "three", "four")]
    assert ordered(shards, Signals(changed={"three.py"})) == ["three", "one", "two", "four"]
    assert ordered(shards, Signals()) == ["one", "two", "three", "four"]


def test_a_part_of_which_more_has_changed_comes_first_however_many_files_it_has() -> None:
    wide = shard("wide", *(f"w{number}.py" for number in range(9)))
    small = shard("small", "s.py")
    signals = Signals(changed={"s.py", "w0.py", "w1.py"})
    assert ordered([wide, small], signals) == ["small", "wide"]
