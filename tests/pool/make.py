"""Plans, accounts and caps for tests."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, Plan
from claude_pool_gh.pool.store.ledger import Account, Caps

NOW = 1_786_000_000_000  # 2026-08-06, 07:06 UTC
DAY = 86_400_000


def plan(verb: str = "review") -> Plan:
    steps = (
        HostCall(name="brief", call="review.brief"),
        AgentRun(name="find", system="s", prompt="p", overrides=TaskOverrides(model="m")),
    )
    return Plan(verb=verb, steps=steps, limits=Limits(task=1, chain=3, wall_seconds=60, idle_seconds=60))


def account(thread: str = "1:7", user: str = "mona", repository: str = "1") -> Account:
    return Account(thread=thread, user=user, repository=repository)


def caps(**amounts: Any) -> Caps:
    return Caps(
        **({"task": 10, "chain": 30, "thread": 100, "user_day": 200, "repository_month": 1000} | amounts)
    )
