"""Deletes what ended long ago, so that a store does not grow for ever. Money that was spent stays in every sum."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.tables import (
    chain_scopes,
    chains,
    patches,
    reservations,
    steps,
    tags,
    tasks,
)
from claude_pool_gh.storage import Transaction, insert_once, one_at_a_time

PRUNED: Final = "pruned"
"""The kind of the rows that stand for deleted chains: one for each pool and day, with nothing but their money."""

_AT_ONCE: Final = 200
_DAY_MS: Final = 86_400_000
_C: Final = chains.c
_R: Final = reservations.c
_OF_CHAINS: Final = (tags, steps, tasks, patches, reservations)


def prune(tx: Transaction, pool: str, before_ms: int) -> int:
    """Delete some of a pool's chains that ended before a moment; returns how many, 0 when none is left.

    Only chains that nobody else refers to: those that belong to a scope, such as a thread or a repository, stay, with
    their findings, reviews and money, and lose no more than the transcripts of their tasks.
    """
    one_at_a_time(tx, "prune")  # two would count the same money twice
    ended = sa.and_(_C.pool == pool, _C.state == ChainState.done, _C.ended_ms < before_ms)
    nobodys = ~sa.select(chain_scopes.c.chain_id).where(chain_scopes.c.chain_id == _C.id).exists()
    own = (
        sa.select(_C.id)
        .where(ended, nobodys, _C.kind != PRUNED)
        .order_by(_C.ended_ms)
        .limit(_AT_ONCE)
    )
    ids = list(tx.execute(own).scalars())
    if ids:
        _keep_money(tx, pool, ids)
        for table in _OF_CHAINS:
            tx.execute(table.delete().where(table.c.chain_id.in_(ids)))
        tx.execute(chains.delete().where(_C.id.in_(ids)))
    return len(ids)


def forget_transcripts(tx: Transaction, pool: str, before_ms: int) -> None:
    """Delete what agents said and did on the way, of a pool's chains that ended before a moment."""
    ended = sa.select(_C.id).where(
        _C.pool == pool, _C.state == ChainState.done, _C.ended_ms < before_ms
    )
    kept = sa.and_(tasks.c.chain_id.in_(ended), tasks.c.transcript.is_not(sa.null()))
    tx.execute(tasks.update().where(kept).values(transcript=sa.null()))


def _keep_money(tx: Transaction, pool: str, ids: Sequence[str]) -> None:
    """Let the sums of a day stand for what these chains have cost: the caps ask by day and by month."""
    day = (_R.created_ms - _R.created_ms % _DAY_MS).label("day")
    bound = sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
    sums = sa.select(_R.level, day, _R.model, sa.func.sum(_R.settled), bound).where(
        _R.level.in_(("chain", "request")), _R.chain_id.in_(ids), _R.settled > 0
    )
    for level, day_ms, model, cost, only_bound in tx.execute(
        sums.group_by(_R.level, day, _R.model)
    ).all():
        chain_id = _stand_in(tx, pool, int(day_ms))
        values: dict[str, Any] = {
            "id": f"{chain_id}.{model}" if level == "request" else chain_id,
            "level": level,
            "chain_id": chain_id,
            "model": model,
            "parent_id": chain_id if level == "request" else None,
            "reserved": int(cost),
            "settled": int(cost),
            "upper_bound": bool(only_bound),
            "created_ms": int(day_ms),
            "settled_ms": int(day_ms),
        }
        if not insert_once(tx, reservations, values):
            more: dict[str, Any] = {
                "reserved": _R.reserved + int(cost),
                "settled": _R.settled + int(cost),
            }
            more |= {"upper_bound": True} if only_bound else {}
            tx.execute(reservations.update().where(_R.id == values["id"]).values(**more))


def _stand_in(tx: Transaction, pool: str, day_ms: int) -> str:
    """The row of a pool and day that has the money of its deleted chains."""
    name = hashlib.sha256(pool.encode()).hexdigest()[:12]
    values = {
        "id": f"{PRUNED}.{name}.{day_ms // _DAY_MS}",
        "pool": pool,
        "kind": PRUNED,
        "state": ChainState.done,
        "plan": {},
        "verb": "",
        "head": "",
        "workflow": "",
        "requester": "",
        "account": {},
        "caps": {},
        "priority": 0,
        "place": 0,
        "created_ms": day_ms,
        "ended_ms": day_ms,
        "cancel_requested": False,
        "generation": 0,
    }
    insert_once(tx, chains, values)
    return str(values["id"])
