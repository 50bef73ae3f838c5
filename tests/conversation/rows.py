"""Chains, steps and tasks as a store would hand them out, for decisions that need no store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.pool.model.caps import Account
from claude_pool_gh.pool.model.outcomes import Outcome
from claude_pool_gh.pool.model.plan import AgentRun, Limits, Plan, Step
from claude_pool_gh.pool.model.states import ChainState, StepState, TaskState
from claude_pool_gh.pool.store.chains import ChainLabels, ChainRow, StepRow
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from tests.pool.make import NOW, caps

SHOP = Repository(id=1, owner="octo", name="shop")
MONA = Actor(id=7, login="mona")
HEAD, OTHER = "a" * 40, "b" * 40
DOLLAR = 1_000_000


def facts(**fields: Any) -> ThreadFacts:
    values: dict[str, Any] = {
        "thread": Thread(repository=SHOP, number=7),
        "place": "pull",
        "requester": MONA,
        "line": "/pool review",
        "head": HEAD,
        "base": OTHER,
        "base_ref": "main",
        "default_branch": "main",
    }
    return ThreadFacts(**values | fields)


def step(name: str = "find", state: StepState = StepState.completed, **fields: Any) -> StepRow:
    values: dict[str, Any] = {
        "id": f"c.{name}",
        "name": name,
        "state": state,
        "result": None,
        "rejections": (),
        "work": None,
        "started_ms": None,
        "ended_ms": None,
    }
    return StepRow(**values | fields)


def chain(
    *steps: Step,
    verb: str = "review",
    rows: Sequence[StepRow] | None = None,
    context: dict[str, Any] | None = None,
    limit: int = 3 * DOLLAR,
    **fields: Any,
) -> ChainRow:
    """A chain of these steps, all of which are done unless `rows` says otherwise."""
    planned = steps or (AgentRun(name="find", prompt="p"),)
    plan = Plan(
        verb=verb,
        steps=planned,
        limits=Limits(task=limit, chain=limit, wall_seconds=60, idle_seconds=60),
        context=facts().model_dump(mode="json") | (context or {}),
    )
    account: Account = {}
    values: dict[str, Any] = {
        "id": "c",
        "kind": "chain",
        "state": ChainState.running,
        "parked_for": None,
        "outcome": None,
        "plan": plan,
        "labels": ChainLabels(head=HEAD, requester=MONA.login),
        "account": account,
        "caps": caps(),
        "priority": 0,
        "place": 0,
        "deadline_ms": None,
        "created_ms": NOW,
        "started_ms": NOW,
        "ended_ms": None,
        "cancel_requested": False,
        "owner": None,
        "generation": 0,
        "steps": tuple(step(each.name) for each in planned) if rows is None else tuple(rows),
    }
    return ChainRow(**values | fields)


def ended(outcome: Outcome, *steps: Step, **fields: Any) -> ChainRow:
    """A chain that is over."""
    values: dict[str, Any] = {"outcome": outcome, "state": ChainState.done, "ended_ms": NOW}
    return chain(*steps, **values | fields)


def task(
    step_name: str = "find", shard: int = 0, state: TaskState = TaskState.completed, **fields: Any
) -> TaskRow:
    values: dict[str, Any] = {
        "id": f"c.{step_name}.{shard}",
        "chain_id": "c",
        "step": step_name,
        "shard": shard,
        "title": f"part {shard}",
        "state": state,
        "attempt": 1,
        "model": "m",
        "slot": None,
        "outcome": None,
        "created_ms": NOW,
        "started_ms": NOW,
        "ended_ms": None,
    }
    return TaskRow(**values | fields)
