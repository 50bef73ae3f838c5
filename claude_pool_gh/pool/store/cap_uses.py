"""The uses of each cap: what a scope's chains have spent and set aside.

A cap is used by the sum of its chains' reservations, settled ones at what they cost and open ones in full.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import POOL, Account, Cap, Caps, CapUse, Window
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store.elsewhere import ELSEWHERE
from claude_pool_gh.pool.store.tables import chain_scopes, reservations
from claude_pool_gh.storage import Transaction

_R: Final = reservations.c
_S: Final = chain_scopes.c
USED: Final = sa.func.coalesce(sa.func.sum(sa.func.coalesce(_R.settled, _R.reserved)), 0)

_INSIDE: Final = reservations.alias("inside")
_SPENT_INSIDE: Final = (
    sa.select(sa.func.coalesce(sa.func.sum(_INSIDE.c.settled), 0))
    .where(_INSIDE.c.chain_id == _R.id, _INSIDE.c.level == "request")
    .correlate(reservations)
    .scalar_subquery()
)
_SPENT: Final = sa.func.coalesce(sa.func.sum(sa.func.coalesce(_R.settled, _SPENT_INSIDE)), 0)
"""What chains have spent, also those that are not done: that never comes free again."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The chains that count against a cap."""

    kind: str
    key: str
    since_ms: int
    """What was made before that counts no more."""

    def parameters(self, of: str = "") -> dict[str, Any]:
        """The values of the parameters in `counted`."""
        since = {f"since{of}": self.since_ms}
        return (
            since if self.kind == POOL else {f"kind{of}": self.kind, f"key{of}": self.key, **since}
        )


def scope_of(cap: Cap, account: Account, now_ms: int) -> Scope:
    """The chains that count against a cap. Raises ValueError for an account without that scope."""
    if cap.scope != POOL and cap.scope not in account:
        raise ValueError(f"a chain with a cap of its {cap.scope} must say which one that is")
    return Scope(cap.scope, account.get(cap.scope, ""), start_of(cap.window, now_ms))


def counted(total: sa.ColumnElement[Any], *, everything: bool, of: str = "") -> sa.Select[Any]:
    """The statement that sums the chains of a scope, or those of all.

    `of` tells its parameters from those of others in one statement.
    """
    since = _R.created_ms >= sa.bindparam(f"since{of}", type_=sa.BigInteger)
    own = sa.select(total).where(_R.level == "chain", since)
    if everything:  # what a whole pool spends, and other stores' chains are none of this pool's
        return own.where(_R.id.not_like(f"{ELSEWHERE}%"))
    kind = sa.bindparam(f"kind{of}", type_=sa.String)
    key = sa.bindparam(f"key{of}", type_=sa.String)
    return own.join(chain_scopes, _S.chain_id == _R.id).where(_S.kind == kind, _S.key == key)


# Built once: see `chains`.
_USED_BY: Final = {everything: counted(USED, everything=everything) for everything in (False, True)}
_SPENT_BY: Final = {
    everything: counted(_SPENT, everything=everything) for everything in (False, True)
}


def cap_uses(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> list[CapUse]:
    """Every cap that a new chain of this account would count against, narrowest first."""
    return [
        CapUse(cap.name, cap.limit, _sum(tx, _USED_BY, scope_of(cap, account, now_ms)))
        for cap in caps.shared
    ]


def could_be_freed(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> bool:
    """True where what is only set aside, not spent, stands between this chain and its caps: then waiting can help."""
    return all(
        cap.limit - _sum(tx, _SPENT_BY, scope_of(cap, account, now_ms)) >= caps.to_begin
        for cap in caps.shared
    )


def ensure_affordable(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> None:
    """Raises CapReached where even waiting could not bring the least that a task needs: it is spent, not set aside."""
    for cap in caps.shared:
        left = cap.limit - _sum(tx, _SPENT_BY, scope_of(cap, account, now_ms))
        if left < caps.to_begin:
            raise CapReached(cap.name, cap.limit, max(0, left), caps.to_begin, caps.change)


def check(tx: Transaction, account: Account, caps: Caps, amount: int, now_ms: int) -> bool:
    """True where any wider cap holds. Raises CapReached for the narrowest that leaves too little."""
    uses = cap_uses(tx, account, caps, now_ms)
    for use in uses:
        if use.left < amount:
            raise CapReached(use.name, use.limit, use.left, amount, caps.change)
    return bool(uses)


def _sum(tx: Transaction, totals: dict[bool, sa.Select[Any]], scope: Scope) -> int:
    return int(tx.execute(totals[scope.kind == POOL], scope.parameters()).scalar_one())


def start_of(window: Window, now_ms: int) -> int:
    """The first millisecond of a window, in UTC."""
    day = datetime.fromtimestamp(now_ms / 1000, UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    match window:
        case Window.ever:
            return 0
        case Window.day:
            return int(day.timestamp() * 1000)
        case Window.month:
            return int(day.replace(day=1).timestamp() * 1000)
