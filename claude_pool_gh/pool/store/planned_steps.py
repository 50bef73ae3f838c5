"""The steps of plans, each kept once: every review of a server has the same ones, with long prompts and schemas.

A chain's plan names them by their digest. Short ones stand in the plan itself, as all did in earlier versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.store.tables import chains, planned_steps
from claude_pool_gh.storage import Transaction, inserting

_SHARED_FROM: Final = 1_000
"""Characters of JSON from which steps are kept apart."""
_HOUR_MS: Final = 3_600_000
_UNUSED_MS: Final = 24 * _HOUR_MS
_AT_ONCE: Final = 200
_S: Final = planned_steps.c
STEPS: Final = "steps"
"""The name of the steps in a stored plan."""

WITH_STEPS: Final = chains.outerjoin(planned_steps, _S.digest == chains.c.steps_digest)
"""Chains, each with its steps where they are kept apart, as `SHARED`."""
SHARED: Final = _S.steps.label("shared_steps")


def keep(tx: Transaction, plan: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Keep the steps of a plan; the columns of a chain that has this plan.

    Whoever uses steps again renews them in the same statement: that holds their row, so that no other process deletes
    it before the chain that names it is committed.
    """
    text = json.dumps(plan[STEPS], ensure_ascii=False)
    if len(text) < _SHARED_FROM:
        return {"plan": plan, "steps_digest": None}
    digest = sha256(text.encode()).hexdigest()
    used = {"digest": digest, "steps": plan[STEPS], "used_ms": now_ms}
    tx.execute(_keeping(tx.dialect.name), used)
    apart = {name: value for name, value in plan.items() if name != STEPS}
    return {"plan": apart, "steps_digest": digest}


@cache
def _keeping(dialect: str) -> sa.Insert:
    insert = inserting(planned_steps, dialect)
    return insert.on_conflict_do_update(
        index_elements=[_S.digest],
        set_={"used_ms": insert.excluded.used_ms},
        where=_S.used_ms < insert.excluded.used_ms - _HOUR_MS,
    )


def whole(row: sa.Row[Any]) -> Mapping[str, Any]:
    """The plan of a row of `WITH_STEPS`, in one piece."""
    plan: dict[str, Any] = row.plan
    return plan if row.steps_digest is None else {**plan, STEPS: row.shared_steps}


def forget_unused(tx: Transaction, now_ms: int) -> int:
    """Delete some steps that no chain has any more; returns the count; 0 when none are left."""
    used = sa.select(chains.c.id).where(chains.c.steps_digest == _S.digest).exists()
    some = (
        sa.select(_S.digest).where(_S.used_ms < now_ms - _UNUSED_MS, ~used).limit(_AT_ONCE)
    ).scalar_subquery()
    # Asked again of each row: another process may have renewed it since.
    own = sa.and_(_S.digest.in_(some), _S.used_ms < now_ms - _UNUSED_MS)
    return tx.execute(planned_steps.delete().where(own)).rowcount
