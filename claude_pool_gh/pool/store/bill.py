"""The bill of a chain and of those beside it, in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import POOL, Account, Caps, CapUse
from claude_pool_gh.pool.store import cap_uses, costs
from claude_pool_gh.pool.store.cap_uses import USED
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.storage import Transaction

_R: Final = reservations.c
_SEVERAL: Final[sa.BindParameter[list[str]]] = sa.bindparam("several", expanding=True)


@dataclass(frozen=True, slots=True)
class Bill:
    """The bill of a chain and of others beside it."""

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
    tx: Transaction,
    chain_ids: Iterable[str],
    account: Account,
    caps: Caps,
    *,
    usual: tuple[str, str],
    now_ms: int,
) -> Bill:
    """The bill of these chains, and what else there is to tell of one with these caps.

    `usual`: kind of scope and verb, of whose chains the usual cost is told. One statement.
    """
    kind, verb = usual
    asked: dict[str, Any] = {"several": list(chain_ids)}
    asked |= {"of_kind": kind, "of_key": account.get(kind, ""), "of_verb": verb}
    for place, cap in enumerate(caps.shared):
        asked |= cap_uses.scope_of(cap, account, now_ms).parameters(f"_{place}")
    steps: dict[str, dict[str, tuple[int, bool]]] = {}
    used: dict[str, int] = {}
    earlier: list[int] = []
    for what, first, second, amount, bound in tx.execute(
        _statement(tuple(cap.scope for cap in caps.shared)), asked
    ):
        match what:
            case "cost":
                steps.setdefault(first, {})[second] = (int(amount), bool(bound))
            case "use":
                used[first] = int(amount)
            case _:
                earlier.append(int(amount))
    uses = [CapUse(cap.name, cap.limit, used[str(place)]) for place, cap in enumerate(caps.shared)]
    return Bill(steps, uses, costs.middle_half(earlier))


@cache
def _statement(scopes: tuple[str, ...]) -> sa.CompoundSelect[Any]:
    own = (
        sa.select(_text("cost"), _R.chain_id, _R.step, sa.func.sum(_R.settled), costs.BOUND)
        .where(_R.level == "request", _R.chain_id.in_(_SEVERAL), _R.settled.is_not(None))
        .group_by(_R.chain_id, _R.step)
    )
    no: sa.ColumnElement[str] = _text("")
    none: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    uses = []
    for place, scope in enumerate(scopes):
        total = cap_uses.counted(USED, everything=scope == POOL, of=f"_{place}")
        uses.append(total.with_only_columns(_text("use"), _text(str(place)), no, USED, none))
    usual = costs.USUAL.subquery()
    return sa.union_all(own, *uses, sa.select(_text("usual"), no, no, usual.c.settled, none))


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.cast(sa.literal_column(f"'{value}'"), sa.String)
