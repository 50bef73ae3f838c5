"""Which earlier run an audit goes on with, and what one that goes on says of prices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from claude_pool_gh.audits.estimate import PastRun
from claude_pool_gh.audits.model import Coverage, ShardResult, ShardState
from claude_pool_gh.config.model import Audit
from claude_pool_gh.conversation.audit import gather, going_on
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan, Step
from tests.audits.make import result, shard
from tests.conversation import rows
from tests.conversation.rows import DOLLAR

FIND = AgentRun(name="find", prompt="p")


def plan(*steps: Step, money: int = 3 * DOLLAR) -> Plan:
    limits = Limits(task=money, chain=money, wall_seconds=60, idle_seconds=60)
    return Plan(verb="audit", steps=steps, limits=limits)


@pytest.mark.parametrize(
    ("beyond", "asked", "goes_on"),
    [
        ([], plan(FIND), True),
        ([], plan(FIND.model_copy(update={"at_once": 9})), True),
        ([], plan(FIND.model_copy(update={"prompt": "q"})), False),
        ([], plan(FIND, money=9 * DOLLAR), True),
        (["part"], plan(FIND, money=9 * DOLLAR), False),
        (["part"], plan(FIND, money=DOLLAR), True),
    ],
    ids=["the same", "more slots", "another prompt", "more money", "for more", "less money"],
)
def test_it_goes_on_with_what_was_asked_for_in_the_same_words(
    beyond: list[str], asked: Plan, *, goes_on: bool
) -> None:
    planned = rows.step("plan", result={"plan": {"beyond": beyond}})
    assert going_on.fits(rows.chain(FIND, rows=[planned]), asked) is goes_on


def facts(**fields: Any) -> AuditFacts:
    own = {"name": "defects", "kind": "defects"} | fields
    return AuditFacts(**rows.facts().model_dump() | own)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        ({"line": "/pool audit --budget 9", "settings": Audit(budget=9, slots=9)}, True),
        ({"head": "f" * 40}, False),
        ({"paths": ("src/",)}, False),
        ({"settings": Audit(exclude=("docs/",))}, False),
        ({"flags": ("--model x",)}, False),
    ],
)
def test_it_goes_on_at_the_same_commit_for_the_same(
    other: dict[str, Any], *, is_same: bool
) -> None:
    assert facts().is_same(facts(**other)) is is_same


def test_a_run_that_went_on_says_nothing_of_the_price_of_what_it_took_over() -> None:
    taken = ShardResult(shard=shard(1), state=ShardState.read, seconds=40.0)
    paid = ShardResult(shard=shard(2), state=ShardState.read, seconds=60.0, cost=500_000)
    full = replace(result(), coverage=Coverage(shards=(taken, paid)), cost=500_000)
    assert gather._past(full) == PastRun(tokens=9_000, cost=500_000, seconds=60.0, shards=1)
    assert gather._past(replace(full, coverage=Coverage(shards=(taken,)))).tokens == 0
