"""Deletes what ended long ago, so that a store does not grow for ever. Money that was spent stays in every sum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.tables import (
    chain_scopes,
    chains,
    kept_texts,
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
_SHARED_AT_ONCE: Final = 50
"""Chains of as many accounts, perhaps, and each account's money is summed apart."""
_NAME_DIGITS: Final = 12
_DAY_MS: Final = 86_400_000
_C: Final = chains.c
_P: Final = patches.c
_R: Final = reservations.c
_T: Final = tasks.c


class Step(Protocol):
    """Deletes some of what is old; returns how much, 0 when nothing is left."""

    def __call__(self, tx: Transaction, pool: str, before_ms: int) -> int:
        """Of a pool, what ended before a moment."""
        ...


_OF_CHAINS: Final = (tags, steps, tasks, patches, reservations)


def prune(tx: Transaction, pool: str, before_ms: int) -> int:
    """Delete some of a pool's chains that ended before a moment; returns how many, 0 when none is left.

    Only chains that nobody else refers to: those that belong to a scope, such as a thread or a repository, stay, with
    their findings, reviews and money, and lose no more than the transcripts of their tasks.
    """
    return _prune(tx, pool, before_ms, shared=False, at_once=_AT_ONCE)


def prune_shared(tx: Transaction, pool: str, before_ms: int) -> int:
    """The same for chains that belong to a scope: what they cost goes on counting against each cap of theirs."""
    return _prune(tx, pool, before_ms, shared=True, at_once=_SHARED_AT_ONCE)


def _prune(tx: Transaction, pool: str, before_ms: int, *, shared: bool, at_once: int) -> int:
    one_at_a_time(tx, "prune")  # two would count the same money twice
    ended = sa.and_(_C.pool == pool, _C.state == ChainState.done, _C.ended_ms < before_ms)
    scoped = sa.select(chain_scopes.c.chain_id).where(chain_scopes.c.chain_id == _C.id).exists()
    own = (
        sa.select(_C.id, _C.account)
        .where(ended, scoped if shared else ~scoped, _C.kind != PRUNED)
        .order_by(_C.ended_ms)
        .limit(at_once)
    )
    by_account: dict[str, tuple[Account, list[str]]] = {}
    for chain_id, account in tx.execute(own):
        by_account.setdefault(json.dumps(account, sort_keys=True), (account, []))[1].append(
            chain_id
        )
    for account, ids in by_account.values():
        _keep_money(tx, pool, account if shared else {}, ids)
        for table in (*_OF_CHAINS, chain_scopes):
            tx.execute(table.delete().where(table.c.chain_id.in_(ids)))
        tx.execute(chains.delete().where(_C.id.in_(ids)))
    return sum(len(ids) for _, ids in by_account.values())


def forget_transcripts(tx: Transaction, pool: str, before_ms: int) -> int:
    """Delete what some agents said and did on the way, and what they were asked, and return of how many.

    Of the chains of a pool that ended before a moment; 0 when none are left.
    """
    ended = sa.and_(_C.pool == pool, _C.state == ChainState.done, _C.ended_ms < before_ms)
    some = (
        sa.select(_T.id)
        .join(chains, _C.id == _T.chain_id)
        .where(kept_texts(), ended)
        .limit(_AT_ONCE)
    )
    forgotten = {"transcript": sa.null(), "prompt": sa.null(), "asked": sa.null()}
    return tx.execute(tasks.update().where(_T.id.in_(some)).values(**forgotten)).rowcount


def forget_patches(tx: Transaction, pool: str, before_ms: int) -> int:
    """Delete some patches of a pool's ended chains that were made before a moment.

    Returns the count; 0 when none are left.
    """
    over = sa.and_(_C.id == _P.chain_id, _C.pool == pool, _C.state == ChainState.done)
    some = (
        sa.select(_P.run_id)
        .where(_P.created_ms < before_ms, sa.select(_C.id).where(over).exists())
        .limit(_AT_ONCE)
    )
    return tx.execute(patches.delete().where(_P.run_id.in_(some))).rowcount


def _keep_money(tx: Transaction, pool: str, account: Account, ids: Sequence[str]) -> None:
    """Let the sums of a day stand for what these chains have cost: the caps ask by day and by month.

    The chains are of one account, so that their sums count against the caps of its scopes.
    """
    day = (_R.created_ms - _R.created_ms % _DAY_MS).label("day")
    bound = sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
    sums = sa.select(_R.level, day, _R.model, sa.func.sum(_R.settled), bound).where(
        _R.level.in_(("chain", "request")), _R.chain_id.in_(ids), _R.settled > 0
    )
    for level, day_ms, model, cost, only_bound in tx.execute(
        sums.group_by(_R.level, day, _R.model)
    ).all():
        chain_id = _stand_in(tx, pool, account, int(day_ms))
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


def _stand_in(tx: Transaction, pool: str, account: Account, day_ms: int) -> str:
    """The row of a pool, account and day that has the money of their deleted chains."""
    whose = f"{pool} {json.dumps(account, sort_keys=True)}" if account else pool
    name = hashlib.sha256(whose.encode()).hexdigest()[:_NAME_DIGITS]
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
        "account": dict(account),
        "caps": {},
        "priority": 0,
        "place": 0,
        "created_ms": day_ms,
        "ended_ms": day_ms,
        "trimmed_ms": day_ms,
        "cancel_requested": False,
        "generation": 0,
    }
    if insert_once(tx, chains, values):
        for kind, key in account.items():
            tx.execute(chain_scopes.insert().values(chain_id=values["id"], kind=kind, key=key))
    return str(values["id"])
