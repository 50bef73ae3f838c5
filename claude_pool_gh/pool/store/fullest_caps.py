"""The scopes that have used most of a cap, for whoever watches the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Cap, Caps
from claude_pool_gh.pool.store.cap_uses import USED, start_of
from claude_pool_gh.pool.store.tables import chain_scopes, chains, reservations
from claude_pool_gh.storage import Transaction

_C = chains.c
_R = reservations.c
_S = chain_scopes.c


@dataclass(frozen=True, slots=True)
class FullScope:
    """One scope, and the part of its cap that is spent or set aside."""

    key: str
    ratio: float


def fullest(tx: Transaction, cap: Cap, now_ms: int, most: int) -> list[FullScope]:
    """The scopes that have used most of their limit inside a cap's window, fullest first.

    The limit of a scope is that of its newest chain. `cap`: its scope and window; its limit is not looked at.
    """
    used = (
        sa.select(_S.key, USED.label("used"))
        .join(reservations, _R.chain_id == _S.chain_id)
        .where(_R.level == "chain", _R.created_ms >= start_of(cap.window, now_ms))
        .where(_S.kind == cap.scope)
        .group_by(_S.key)
        .subquery()
    )
    place = sa.func.row_number().over(
        partition_by=_S.key, order_by=(_C.created_ms.desc(), _C.place.desc())
    )
    newest = (
        sa.select(_S.key, _C.id, place.label("place"))
        .join(chain_scopes, _S.chain_id == _C.id)
        .where(_S.kind == cap.scope, _C.kind == "chain")
        .subquery()
    )
    each_with_caps = (
        sa.select(used.c.key, used.c.used, _C.caps)
        .join(newest, sa.and_(newest.c.key == used.c.key, newest.c.place == 1))
        .join(chains, _C.id == newest.c.id)
    )
    found = [
        FullScope(key, int(spent) / limit)
        for key, spent, caps in tx.execute(each_with_caps)
        if (limit := _limit(caps, cap))
    ]
    return sorted(found, key=lambda each: (-each.ratio, each.key))[:most]


def _limit(stored: Mapping[str, Any] | None, cap: Cap) -> int | None:
    wider = Caps.from_json(stored).wider if stored else ()
    return next(
        (each.limit for each in wider if replace(each, limit=0) == replace(cap, limit=0)), None
    )
