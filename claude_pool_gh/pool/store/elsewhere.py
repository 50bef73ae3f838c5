"""The money that chains of other stores have spent, for caps that hold over several stores.

Nothing else of those chains is here: a row with its account and its money, under an id that no chain of this store has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.tables import chain_scopes, chains, reservations
from claude_pool_gh.storage import Transaction

ELSEWHERE: Final = "elsewhere:"
"""How the ids of such rows begin."""

_C: Final = chains.c
_R: Final = reservations.c
_S: Final = chain_scopes.c
_FOREIGN: Final = _C.id.startswith(ELSEWHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The charge of one chain: its reservation while it runs, then its cost."""

    chain_id: str
    account: Account
    amount: int
    """Microdollars."""
    created_ms: int


def own_charges(tx: Transaction, since_ms: int) -> list[Charge]:
    """The charges of this store's own chains that were made since a moment."""
    amount = sa.func.coalesce(_R.settled, _R.reserved).label("amount")
    own = (
        sa.select(_C.id, _C.account, _C.created_ms, amount)
        .join(reservations, _R.id == _C.id)
        .where(_R.level == "chain", _C.created_ms >= since_ms, ~_FOREIGN)
    )
    return [
        Charge(
            chain_id=row.id,
            account=row.account,
            amount=int(row.amount),
            created_ms=int(row.created_ms),
        )
        for row in tx.execute(own)
    ]


def count(tx: Transaction, charges: Iterable[Charge]) -> None:
    """Let caps count these charges of other stores, and no others that were counted before."""
    for table, column in ((reservations, _R.id), (chain_scopes, _S.chain_id), (chains, _C.id)):
        tx.execute(table.delete().where(column.startswith(ELSEWHERE)))
    for charge in charges:
        name = _name(charge.chain_id)
        tx.execute(chains.insert().values(_ended(name, charge)))
        if charge.account:
            own = [
                {"chain_id": name, "kind": kind, "key": key} for kind, key in charge.account.items()
            ]
            tx.execute(chain_scopes.insert(), own)
        money: dict[str, Any] = {
            "id": name,
            "level": "chain",
            "chain_id": name,
            "upper_bound": False,
        }
        money |= {"reserved": charge.amount, "settled": charge.amount}
        money |= {"created_ms": charge.created_ms, "settled_ms": charge.created_ms}
        tx.execute(reservations.insert().values(money))


def _name(chain_id: str) -> str:
    """One for each id, of any length: whoever words the ids of other stores cannot let two of them meet."""
    return ELSEWHERE + sha256(chain_id.encode()).hexdigest()[:48]


def _ended(name: str, charge: Charge) -> dict[str, Any]:
    return {
        "id": name,
        "pool": ELSEWHERE,
        "kind": "chain",
        "state": ChainState.done,
        "plan": {"verb": "", "context": {}},
        "verb": "",
        "head": "",
        "workflow": "",
        "requester": "",
        "account": dict(charge.account),
        "caps": {},
        "priority": 0,
        "place": 0,
        "created_ms": charge.created_ms,
        "cancel_requested": False,
        "generation": 0,
    }
