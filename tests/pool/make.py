"""Plans, accounts and caps for tests."""

from __future__ import annotations

from claude_pool_gh.pool.model.caps import Account, Cap, Caps, Window
from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.plan import AgentRun, HostCall, Limits, Plan

NOW = 1_786_000_000_000  # 2026-08-06, 07:06 UTC
DAY = 86_400_000


def plan(verb: str = "review") -> Plan:
    steps = (
        HostCall(name="brief", call="review.brief"),
        AgentRun(name="find", system="s", prompt="p", overrides=TaskOverrides(model="m")),
    )
    return Plan(
        verb=verb, steps=steps, limits=Limits(task=1, chain=3, wall_seconds=60, idle_seconds=60)
    )


def account(thread: str = "1:7", user: str = "mona", repository: str = "1") -> Account:
    return {"thread": thread, "user": user, "repository": repository}


def caps(
    *,
    task: int = 10,
    chain: int = 30,
    thread: int | None = 100,
    user_day: int | None = 200,
    repository_month: int | None = 1000,
    pool: int | None = None,
    least: int | None = None,
) -> Caps:
    """The caps of a bot's chain; None leaves one out."""
    wider = (
        ("thread", Window.ever, thread),
        ("user", Window.day, user_day),
        ("repository", Window.month, repository_month),
    )
    shared = tuple(Cap(scope, window, limit) for scope, window, limit in wider if limit is not None)
    return Caps(task=task, chain=chain, wider=shared, pool=pool, least=least)
