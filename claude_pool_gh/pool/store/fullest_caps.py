"""The scopes that have used most of a cap, for whoever watches the server."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    """The scopes that have spent most inside a cap's window, dearest first, each beside the limit of its newest chain.

    `cap`: its scope and window; its limit is not looked at.
    """
    dearest = (
        sa.select(_S.key, USED.label("used"))
        .join(reservations, _R.chain_id == _S.chain_id)
        .where(_R.level == "chain", _R.created_ms >= start_of(cap.window, now_ms))
        .where(_S.kind == cap.scope)
        .group_by(_S.key)
        .order_by(USED.desc(), _S.key)
        .limit(most)
    )
    found = []
    for key, used in tx.execute(dearest).all():
        limit = _limit(tx, cap, key)
        if limit:
            found.append(FullScope(key, int(used) / limit))
    return found


def _limit(tx: Transaction, cap: Cap, key: str) -> int | None:
    newest = (
        sa.select(_C.caps)
        .join(chain_scopes, _S.chain_id == _C.id)
        .where(_S.kind == cap.scope, _S.key == key, _C.kind == "chain")
        .order_by(_C.created_ms.desc())
        .limit(1)
    )
    stored = tx.execute(newest).scalar()
    wider = Caps.from_json(stored).wider if stored else ()
    return next(
        (each.limit for each in wider if replace(each, limit=0) == replace(cap, limit=0)), None
    )
