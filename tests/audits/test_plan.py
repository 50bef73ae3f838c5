"""What is read first, what it costs, and what the budget does not reach."""

from __future__ import annotations

from dataclasses import replace

from claude_pool_gh.audits.estimate import PastRun, Rates, estimate, rates, reach
from claude_pool_gh.audits.model import Cut, Shard, SkippedFile, SkipReason, SourceFile
from claude_pool_gh.audits.plan import PlanFacts, in_order, make_plan, shrunk
from claude_pool_gh.audits.risk import Signals, risk_of, riskiest_first

FLAT = Rates(cost=(5.0, 10.0, 20.0), seconds=(1.0, 2.0, 3.0), runs=4)


def shard(name: str, tokens: int = 1_000) -> Shard:
    """A shard of one file."""
    return Shard(id=name, title=name, paths=(f"{name}.py",), tokens=tokens, size=tokens * 4)


def facts(**fields: object) -> PlanFacts:
    """A plan's facts, by folder."""
    values: dict[str, object] = {
        "audit": "defects",
        "repository": "octo/shop",
        "commit": "1" * 40,
        "branch": "main",
        "by": Cut.folder,
        "group_of": lambda path: path.split("/")[0],
        "signals": Signals(),
        "rates": FLAT,
        "budget": 1_000_000,
        "slots": 2,
    }
    return PlanFacts(**values | fields)  # type: ignore[arg-type]


def source(path: str, tokens: int = 1_000) -> SourceFile:
    """A file."""
    return SourceFile(path=path, blob="", size=tokens * 4, tokens=tokens)


def test_prices_come_from_earlier_runs_and_before_there_are_any_from_published_ones() -> None:
    first = rates([])
    assert first.runs == 0
    assert first.cost[0] < first.cost[1] < first.cost[2]
    nothing = PastRun(tokens=0, cost=0, seconds=0, shards=0)
    own = rates(
        [nothing, *(PastRun(tokens=100, cost=c, seconds=20, shards=2) for c in (900, 1_100, 1_000))]
    )
    assert (own.runs, own.cost[1], own.seconds[1]) == (3, 10.0, 10.0)
    (low, likely, high) = rates([PastRun(tokens=100, cost=1_000, seconds=20, shards=2)]).cost
    assert low < likely == 10.0 < high, "one run says little of the next"


def test_an_estimate_counts_rounds_of_slots() -> None:
    found = estimate([shard("a"), shard("b"), shard("c")], FLAT, slots=2)
    assert (found.tokens, found.cost.likely, found.seconds.likely) == (3_000, 30_000, 4)


def test_a_budget_reaches_shards_in_their_order_and_at_least_one() -> None:
    every = [shard("a", 5_000), shard("b", 50_000), shard("c", 1_000)]
    found = reach(every, FLAT, 70_000)
    assert [each.id for each in found.within] == ["a", "c"]
    assert [each.id for each in found.beyond] == ["b"]
    assert [each.id for each in reach(every, FLAT, 1).within] == ["a"]


def test_what_changed_fails_changes_often_had_findings_or_has_no_owner_comes_first() -> None:
    names = ["calm", "changed", "churned", "failing", "found", "unowned"]
    signals = Signals(
        changed={"changed.py"},
        failing={"failing.py"},
        commits={"churned.py": 3},
        found={"found.py": 1},
        is_owned=lambda path: path != "unowned.py",
    )
    ordered = riskiest_first([shard(name) for name in names], signals)
    assert [each.id for each in ordered] == [
        "changed",
        "failing",
        "found",
        "churned",
        "unowned",
        "calm",
    ]
    assert ordered[0].risk.signals == {"changed": 3.0}
    assert risk_of(["unowned.py"], Signals()).score == 0, (
        "where nobody owns anything it says nothing"
    )


def test_a_plan_says_what_it_does_not_reach_and_what_it_leaves_out() -> None:
    files = [source("a/x.py"), source("b/y.py", 200_000), source("c/z.py")]
    left = [SkippedFile(path="p.png", reason=SkipReason.binary)]
    own = facts(budget=50_000)
    plan = make_plan(in_order(files, own), left, own)
    assert [each.paths for each in plan.shards] == [("a/x.py",), ("c/z.py",)]
    assert [each.paths for each in plan.beyond] == [("b/y.py",)]
    assert plan.skipped == tuple(left)
    assert plan.estimate.tokens == 202_000, "the estimate is that of everything"
    assert plan.files == 2


def test_a_plan_of_too_much_stays_small_and_counts_what_it_does_not_list() -> None:
    files = [source(f"d{at % 900}/f{at}.py", 10) for at in range(20_000)]
    left = [SkippedFile(path=f"{at}.png", reason=SkipReason.binary) for at in range(5_000)]
    own = facts(budget=10**9)
    plan = make_plan(in_order(files, own), left, own)
    assert len(plan.shards) == 500
    assert sum(len(each.paths) for each in plan.beyond) == 5_000
    assert plan.files + sum(each.files for each in plan.beyond) == 20_000
    assert sum(each.files for each in plan.skipped) == 5_000
    assert len(plan.skipped) == 2_001


def test_what_turns_out_not_to_be_source_leaves_its_shard() -> None:
    files = [source("a/x.py"), source("a/y.py"), source("b/z.py")]
    kept = {"a/x.py": replace(source("a/x.py"), tokens=7)}
    first, second = (shrunk(each, kept) for each in in_order(files, facts()))
    assert first is not None
    assert (first.paths, first.tokens, second) == (("a/x.py",), 7, None)
