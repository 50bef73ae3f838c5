"""The costs by run, task, step, chain and scope. `ledger` moves the money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.tables import chain_scopes, chains, reservations
from claude_pool_gh.storage import Transaction

_R: Final = reservations.c
_S: Final = chain_scopes.c

# Built once: see `chains`.
_WANTED: Final[sa.BindParameter[str]] = sa.bindparam("wanted")
_SEVERAL: Final[sa.BindParameter[list[str]]] = sa.bindparam("several", expanding=True)
BOUND: Final = sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
_SPENT: Final = sa.func.coalesce(sa.func.sum(_R.settled), 0)
_COST: Final = sa.select(_SPENT, BOUND).where(_R.level == "request")
_COST_INSIDE: Final = _COST.where(sa.or_(_R.parent_id == _WANTED, _R.chain_id == _WANTED))
_COST_OF_RUNS: Final = _COST.where(_R.parent_id.in_(_SEVERAL))
_COST_BY_RUN: Final = (
    sa.select(_R.parent_id, _SPENT, BOUND)
    .where(_R.level == "request", _R.parent_id.in_(_SEVERAL))
    .group_by(_R.parent_id)
)
_COST_BY_CHAIN: Final = (
    sa.select(_R.chain_id, _SPENT, BOUND)
    .where(_R.level == "request", _R.chain_id.in_(_SEVERAL))
    .group_by(_R.chain_id)
)
_COST_BY_STEP: Final = (
    sa.select(_R.step, sa.func.sum(_R.settled), BOUND)
    .where(_R.level == "request", _R.chain_id == _WANTED, _R.settled.is_not(None))
    .group_by(_R.step)
)
USUAL: Final = (
    sa.select(_R.settled)
    .join(chains, chains.c.id == _R.id)
    .join(chain_scopes, _S.chain_id == _R.id)
    .where(
        _R.level == "chain",
        _R.settled > 0,
        _S.kind == sa.bindparam("of_kind", type_=sa.String),
        _S.key == sa.bindparam("of_key", type_=sa.String),
        chains.c.verb == sa.bindparam("of_verb", type_=sa.String),
    )
    .order_by(_R.settled_ms.desc())
    .limit(sa.bindparam("last", 20))
)
_SPENDING: Final = (
    sa.select(chains.c.id, chains.c.verb, chains.c.requester, _R.model, _R.settled, _R.created_ms)
    .join_from(reservations, chain_scopes, _S.chain_id == _R.chain_id)
    .join(chains, chains.c.id == _R.chain_id)
    .where(
        _R.level == "request",
        _R.settled > 0,
        _S.kind == sa.bindparam("of_kind"),
        _S.key == sa.bindparam("of_key"),
        _R.created_ms > sa.bindparam("since"),
    )
)
_ENOUGH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCost:
    """The cost of one request to the model, and for what it was."""

    chain_id: str
    verb: str
    requester: str
    model: str
    cost: int
    """Microdollars."""
    created_ms: int


def cost_of(tx: Transaction, reservation_id: str) -> tuple[int, bool]:
    """The money spent inside a chain or task so far, and whether that is only an upper bound."""
    row = tx.execute(_COST_INSIDE, {"wanted": reservation_id}).one()
    return int(row[0]), bool(row[1])


def cost_of_task(tx: Transaction, task_id: str, attempts: int) -> tuple[int, bool]:
    """The money that a task has spent in all its attempts, and whether that is only an upper bound."""
    own = [f"{task_id}.{number}" for number in range(1, attempts + 1)]
    row = tx.execute(_COST_OF_RUNS, {"several": own}).one()
    return int(row[0]), bool(row[1])


def cost_of_runs(tx: Transaction, run_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """The money that each of these runs has spent, as `cost_of` says it; one that has spent nothing is left out."""
    rows = tx.execute(_COST_BY_RUN, {"several": list(run_ids)})
    return {str(run): (int(total), bool(bound)) for run, total, bound in rows}


def cost_of_chains(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """The money that each of these chains has spent so far; one that has spent nothing is left out."""
    rows = tx.execute(_COST_BY_CHAIN, {"several": list(chain_ids)})
    return {str(chain): (int(total), bool(bound)) for chain, total, bound in rows}


def cost_by_step(tx: Transaction, chain_id: str) -> dict[str, tuple[int, bool]]:
    """The money that each step of a chain has cost so far, and whether that is only an upper bound."""
    rows = tx.execute(_COST_BY_STEP, {"wanted": chain_id})
    return {str(step): (int(total), bool(bound)) for step, total, bound in rows}


def cost_of_every_run(tx: Transaction) -> dict[str, int]:
    """The cost of each run of the store."""
    statement = sa.select(_R.parent_id, _SPENT).where(_R.level == "request").group_by(_R.parent_id)
    return {str(run): int(total) for run, total in tx.execute(statement)}


def usual_cost(
    tx: Transaction, kind: str, key: str, verb: str, *, last: int = 20
) -> tuple[int, int] | None:
    """The middle half of what the finished chains of a scope and verb have cost; None below four of them."""
    asked = {"of_kind": kind, "of_key": key, "of_verb": verb, "last": last}
    return middle_half(tx.execute(USUAL, asked).scalars())


def middle_half(costs: Iterable[int]) -> tuple[int, int] | None:
    """The middle half of these amounts; None below four of them."""
    found = sorted(costs)
    if len(found) < _ENOUGH:
        return None
    return int(found[len(found) // 4]), int(found[(3 * len(found)) // 4])


def spending(tx: Transaction, kind: str, key: str, since_ms: int) -> list[RequestCost]:
    """Every request that a scope's chains have paid for after a moment."""
    rows = tx.execute(_SPENDING, {"of_kind": kind, "of_key": key, "since": since_ms})
    return [
        RequestCost(
            chain_id=row.id,
            verb=row.verb,
            requester=row.requester,
            model=str(row.model),
            cost=int(row.settled),
            created_ms=int(row.created_ms),
        )
        for row in rows
    ]


def spend(tx: Transaction) -> tuple[int, int]:
    """The money that was ever spent, and what is set aside beyond it now."""
    spent = sa.select(_SPENT).where(_R.level == "request")
    open_ = sa.select(sa.func.coalesce(sa.func.sum(_R.reserved), 0))
    held = open_.where(_R.level == "chain", _R.settled.is_(None))
    inside = sa.select(chains.c.id).where(chains.c.state != ChainState.done)
    already = spent.where(_R.chain_id.in_(inside))
    total, aside, of_it = (int(tx.execute(each).scalar_one()) for each in (spent, held, already))
    return total, max(0, aside - of_it)


def spent_since(tx: Transaction, since_ms: int) -> int:
    """The money spent since a moment."""
    spent = sa.select(_SPENT).where(_R.level == "request", _R.settled_ms >= since_ms)
    return int(tx.execute(spent).scalar_one())
