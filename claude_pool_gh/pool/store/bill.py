"""What is told of the money of a chain and of those beside it, in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.store import ledger
from claude_pool_gh.pool.store.ledger import Account, Caps, CapUse
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.storage import Transaction

_R: Final = reservations.c
_SEVERAL: Final[sa.BindParameter[list[str]]] = sa.bindparam("several", expanding=True)


@dataclass(frozen=True, slots=True)
class Bill:
    """What is told of the money of a chain and of others beside it."""

    steps: Mapping[str, Mapping[str, tuple[int, bool]]]
    """Chain -> step -> what it has cost so far, and whether that is only an upper bound."""
    uses: list[CapUse]
    """As `cap_uses` says it."""
    usual: tuple[int, int] | None
    """As `usual_cost` says it."""

    def cost(self, chain_id: str) -> tuple[int, bool]:
        """As `cost_of` says it."""
        steps = self.steps.get(chain_id, {}).values()
        return sum(cost for cost, _ in steps), any(bound for _, bound in steps)


def read(
    tx: Transaction, chain_ids: Iterable[str], account: Account, caps: Caps, verb: str, now_ms: int
) -> Bill:
    """What these chains have cost, and what else the bill of a chain of this account, caps and verb says.

    One statement.
    """
    scopes = ledger.scopes(account, caps, now_ms)
    asked: dict[str, Any] = {"several": list(chain_ids), "of_repository": account.repository, "of_verb": verb}
    for cap, _, own in scopes:
        asked |= {f"{name} of {cap}".replace(" ", "_"): value for name, value in own.items()}
    steps: dict[str, dict[str, tuple[int, bool]]] = {}
    used: dict[str, int] = {}
    usual: list[int] = []
    for what, first, second, amount, bound in tx.execute(
        _statement(tuple(cap for cap, _, _ in scopes)), asked
    ):
        match what:
            case "cost":
                steps.setdefault(first, {})[second] = (int(amount), bool(bound))
            case "use":
                used[first] = int(amount)
            case _:
                usual.append(int(amount))
    return Bill(steps, [CapUse(cap, limit, used[cap]) for cap, limit, _ in scopes], ledger.middle_half(usual))


@cache
def _statement(caps: tuple[str, ...]) -> sa.CompoundSelect[Any]:
    costs = (
        sa.select(_text("cost"), _R.chain_id, _R.step, sa.func.sum(_R.settled), ledger.BOUND)
        .where(_R.level == "request", _R.chain_id.in_(_SEVERAL), _R.settled.is_not(None))
        .group_by(_R.chain_id, _R.step)
    )
    no: sa.ColumnElement[str] = _text("")
    none: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    uses = [
        sa.select(_text("use"), _text(cap), no, ledger.USED, none)
        .join_from(reservations, chains, chains.c.id == _R.chain_id)
        .where(_R.level == "chain", ledger.counted(cap, f" of {cap}".replace(" ", "_")))
        for cap in caps
    ]
    usual = ledger.USUAL.subquery()
    return sa.union_all(costs, *uses, sa.select(_text("usual"), no, no, usual.c.settled, none))


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.cast(sa.literal_column(f"'{value}'"), sa.String)
