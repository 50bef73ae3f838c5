"""The cap that holds for all work of a store, as whoever submits there has set it."""

from __future__ import annotations

import sqlalchemy as sa

from claude_pool_gh.pool.store.retention import PRUNED
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.storage import Transaction

_NEWEST = (
    sa.select(chains.c.caps)
    .where(chains.c.kind != PRUNED)
    .order_by(chains.c.created_ms.desc(), chains.c.place.desc())
    .limit(1)
)


def newest(tx: Transaction) -> int | None:
    """Microdollars per month, of the newest chain or task; None where that has none, or nothing was submitted."""
    caps = tx.execute(_NEWEST).scalar_one_or_none()
    return None if caps is None else caps.get("pool")
