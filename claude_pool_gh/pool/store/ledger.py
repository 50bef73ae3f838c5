"""Money set aside, money spent, and the rows of both.

A chain reserves its cap against its thread's, user's, repository's and pool's caps; each task reserves inside
its chain, each request to the model inside its task. A reservation is settled exactly once, with what was used
or, where nobody can know, with all of it, marked as an upper bound. What a scope has used is the sum of its
reservations, settled ones at what they cost and open ones in full: so no cap is ever passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account, Caps, CapUse
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.storage import Transaction, one_at_a_time

__all__ = [
    "Account",
    "CapUse",
    "Caps",
    "book",
    "cap_uses",
    "check_hope",
    "cost_by_step",
    "cost_of",
    "cost_of_task",
    "extend",
    "granted",
    "is_reserved",
    "left_in",
    "let_go",
    "may_come_free",
    "open_beside",
    "reserve_chain",
    "reserve_request",
    "reserve_task",
    "settle",
    "settle_request",
    "settle_request_unknown",
    "take_again",
    "used_by_step",
    "usual_cost",
]  # fmt: skip

_R: Final = reservations.c
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

# Built once: see `chains`.
_WANTED: Final[sa.BindParameter[str]] = sa.bindparam("wanted")
BOUND: Final = sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
_COST: Final = sa.select(sa.func.coalesce(sa.func.sum(_R.settled), 0), BOUND).where(_R.level == "request")
_COST_INSIDE: Final = _COST.where(sa.or_(_R.parent_id == _WANTED, _R.chain_id == _WANTED))
_SEVERAL: Final[sa.BindParameter[list[str]]] = sa.bindparam("several", expanding=True)
_COST_OF_RUNS: Final = _COST.where(_R.parent_id.in_(_SEVERAL))
_SUMS: Final = (sa.func.coalesce(sa.func.sum(_R.settled), 0), BOUND)
_COST_BY_RUN: Final = (
    sa.select(_R.parent_id, *_SUMS)
    .where(_R.level == "request", _R.parent_id.in_(_SEVERAL))
    .group_by(_R.parent_id)
)
_COST_BY_CHAIN: Final = (
    sa.select(_R.chain_id, *_SUMS)
    .where(_R.level == "request", _R.chain_id.in_(_SEVERAL))
    .group_by(_R.chain_id)
)
_KNOWN: Final = sa.select(_R.id).where(_R.id == _WANTED)
_HELD: Final = sa.select(_R.reserved, _R.settled, _R.created_ms).where(_R.id == _WANTED)
_OWNER: Final = sa.select(_R.chain_id, _R.step, _R.settled).where(_R.id == _WANTED)
_USED_INSIDE: Final = sa.select(USED).where(_R.parent_id == _WANTED)
_I: Final = _INSIDE.c
_LEFT: Final = sa.select(
    _R.reserved,
    _R.settled,
    sa.select(sa.func.coalesce(sa.func.sum(sa.func.coalesce(_I.settled, _I.reserved)), 0))
    .where(_I.parent_id == _WANTED)
    .correlate(None)
    .scalar_subquery()
    .label("used"),
).where(_R.id == _WANTED)
_USED_BY_STEP: Final = sa.select(USED).where(
    _R.chain_id == _WANTED, _R.level == "task", _R.step == sa.bindparam("of_step")
)
_OPEN_INSIDE: Final = sa.select(_R.id, _R.level).where(_R.parent_id == _WANTED, _R.settled.is_(None))
_SUM_INSIDE: Final = sa.select(USED, BOUND, sa.func.count() - sa.func.count(_R.settled)).where(
    _R.parent_id == _WANTED
)
_COST_BY_STEP: Final = (
    sa.select(_R.step, sa.func.sum(_R.settled), BOUND)
    .where(_R.level == "request", _R.chain_id == _WANTED, _R.settled.is_not(None))
    .group_by(_R.step)
)
_INSERT: Final = reservations.insert()


def counted(cap: str, of: str = "") -> sa.ColumnElement[bool]:
    """The chains that count against a cap; `of` tells its parameters from those of others in one statement."""
    whose, since = sa.bindparam(f"whose{of}", type_=sa.String), _R.created_ms >= sa.bindparam(f"since{of}")
    match cap:
        case "thread":
            return chains.c.account_thread == whose
        case "user and day":
            return sa.and_(chains.c.account_user == whose, since)
        case "repository and month":
            return sa.and_(chains.c.account_repository == whose, since)
        case _:
            return since


_COUNTED: Final = {
    cap: counted(cap) for cap in ("thread", "user and day", "repository and month", "pool and month")
}
"""The chains that count against each cap."""


def _total(of: sa.ColumnElement[Any], own: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(of).join(chains, chains.c.id == _R.id).where(_R.level == "chain", own)


_USED_BY: Final = {cap: _total(USED, own) for cap, own in _COUNTED.items()}
_SPENT_BY: Final = {cap: _total(_SPENT, own) for cap, own in _COUNTED.items()}
USUAL: Final = (
    sa.select(_R.settled)
    .join(chains, chains.c.id == _R.id)
    .where(
        _R.level == "chain",
        _R.settled > 0,
        chains.c.account_repository == sa.bindparam("of_repository"),
        chains.c.plan["verb"].as_string() == sa.bindparam("of_verb"),
    )
    .order_by(_R.settled_ms.desc())
    .limit(sa.bindparam("last", 20))
)
_ENOUGH: Final = 4
_PAYER: Final = sa.select(
    chains.c.account_thread, chains.c.account_user, chains.c.account_repository, chains.c.caps
).where(chains.c.id == _WANTED)
_PARENTS: Final = sa.select(_R.parent_id, _R.chain_id).where(_R.id == _WANTED)
_MOST: Final[sa.BindParameter[int]] = sa.bindparam("most", type_=sa.BigInteger)
_LOWER: Final = (
    reservations.update()
    .where(_R.id == _WANTED, _R.settled.is_(None), _R.reserved > _MOST)
    .values(reserved=_MOST)
)
_RAISE: Final = (
    reservations.update()
    .where(_R.id == _WANTED, _R.settled.is_(None))
    .values(reserved=_R.reserved + sa.bindparam("more"))
)
_SETTLE: Final = reservations.update().where(_R.id == _WANTED, _R.settled.is_(None))


def cap_uses(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> list[CapUse]:
    """Every cap that a new chain of this account would count against, narrowest first."""
    scopes = _scopes(account, caps, now_ms)
    return [CapUse(name, limit, _sum(tx, _USED_BY[name], own)) for name, limit, own in scopes]


def _scopes(account: Account, caps: Caps, now_ms: int) -> list[tuple[str, int, dict[str, Any]]]:
    """The caps that have a limit, each with whose reservations count against it, and since when."""
    day, month = _starts(now_ms)
    every: list[tuple[str, int | None, dict[str, Any]]] = [
        ("thread", caps.thread, {"whose": account.thread}),
        ("user and day", caps.user_day, {"whose": account.user, "since": day}),
        ("repository and month", caps.repository_month, {"whose": account.repository, "since": month}),
        ("pool and month", caps.pool, {"since": month}),
    ]
    return [(name, limit, own) for name, limit, own in every if limit is not None]


scopes: Final = _scopes


def reserve_chain(tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int) -> None:
    """Set the chain's whole cap aside or, where it may begin with less and a wider cap holds for it, only that.

    Raises CapReached, naming the narrowest cap that is too small.
    """
    one_at_a_time(tx, "ledger")
    limited = _check_caps(tx, account, caps, caps.to_begin, now_ms)
    amount = caps.to_begin if limited else caps.chain
    _insert(tx, id=chain_id, level="chain", chain_id=chain_id, reserved=amount, created_ms=now_ms)


def is_reserved(tx: Transaction, chain_id: str) -> bool:
    """Whether a chain's money was set aside already."""
    return tx.execute(_KNOWN, {"wanted": chain_id}).first() is not None


def may_come_free(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> bool:
    """Whether what is only set aside, not spent, stands between this chain and its caps: then waiting can help."""
    return all(
        limit - _sum(tx, _SPENT_BY[name], own) >= caps.to_begin
        for name, limit, own in _scopes(account, caps, now_ms)
    )


def check_hope(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> None:
    """Raises CapReached where even waiting could not bring the least that a task needs: it is spent, not set aside."""
    for name, limit, own in _scopes(account, caps, now_ms):
        left = limit - _sum(tx, _SPENT_BY[name], own)
        if left < caps.to_begin:
            raise CapReached(name, limit, max(0, left), caps.to_begin, caps.change)


def let_go(tx: Transaction, chain_id: str) -> None:
    """Keep only what a chain has spent: while it is parked, others may use the rest."""
    used = tx.execute(_USED_INSIDE, {"wanted": chain_id}).scalar_one()
    tx.execute(
        reservations.update().where(_R.id == chain_id, _R.settled.is_(None)).values(reserved=int(used))
    )


def take_again(tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int) -> None:
    """Set aside again what a parked chain let go. Raises CapReached."""
    one_at_a_time(tx, "ledger")
    more = min(caps.chain - _reserved(tx, chain_id), caps.to_begin)
    if more > 0:
        _check_caps(tx, account, caps, more, now_ms)
        _raise(tx, chain_id, more)


def _check_caps(tx: Transaction, account: Account, caps: Caps, amount: int, now_ms: int) -> bool:
    """Whether any wider cap has a limit. Raises CapReached for one that leaves less than the amount."""
    uses = cap_uses(tx, account, caps, now_ms)
    for use in uses:
        if use.left < amount:
            raise CapReached(use.name, use.limit, use.left, amount, caps.change)
    return bool(uses)


def extend(
    tx: Transaction,
    run_id: str,
    wanted: int,
    most: int | None,
    now_ms: int,
    *,
    step: int | None = None,
    beside: int = 1,
) -> int:
    """Let an open task hold more, so that `wanted` of it is free, as far as every cap allows; returns what is free.

    `most`: the task's own cap; None lets it hold no more than it does. `step`: what all tasks of its step may hold
    together. `beside`: how many share what the wider caps have left. A chain whose whole cap is set aside already has
    nothing to add to that.
    """
    one_at_a_time(tx, "ledger")
    task = tx.execute(_OWNER, {"wanted": run_id}).one_or_none()
    if task is None or task.settled is not None:
        return 0
    free = left_in(tx, run_id)
    more = min(wanted - free, (most or 0) - _reserved(tx, run_id))
    if step is not None:
        more = min(more, step - used_by_step(tx, task.chain_id, task.step))
    if more <= 0:
        return free
    more = min(more, _extended_chain(tx, task.chain_id, more, now_ms, beside))
    _raise(tx, run_id, more)
    return free + more


def open_beside(tx: Transaction, run_id: str) -> list[str]:
    """The other runs whose money is not settled yet, and comes free for this one where they do not need it.

    Those of the same step; of a chain that takes more of the pool's money as it needs it, all others of the store.
    """
    task = tx.execute(_OWNER, {"wanted": run_id}).one_or_none()
    if task is None:
        return []
    beside = sa.and_(_R.level == "task", _R.id != run_id, _R.settled.is_(None))
    if _least(tx, task.chain_id) is None:
        beside = sa.and_(beside, _R.chain_id == task.chain_id, _R.step == task.step)
    return list(tx.execute(sa.select(_R.id).where(beside)).scalars())


def _least(tx: Transaction, chain_id: str) -> int | None:
    """With how little a chain's runs may begin; None for one that has set its whole cap aside."""
    return Caps(**tx.execute(_PAYER, {"wanted": chain_id}).one().caps).least


def _let_rest_go(tx: Transaction, request_id: str) -> None:
    """After a request, let a run that takes more as it needs it hold no more than it has used and the least.

    Else each would hold until its end what its dearest request needed, and others were refused for it.
    """
    row = tx.execute(_PARENTS, {"wanted": request_id}).one_or_none()
    if row is None or row.parent_id is None or (least := _least(tx, row.chain_id)) is None:
        return
    one_at_a_time(tx, "ledger")
    run_id, chain_id = row.parent_id, row.chain_id
    for each in (run_id, chain_id):
        used = int(tx.execute(_USED_INSIDE, {"wanted": each}).scalar_one())
        tx.execute(_LOWER, {"wanted": each, "most": used + (least if each == run_id else 0)})


def _extended_chain(tx: Transaction, chain_id: str, wanted: int, now_ms: int, beside: int = 1) -> int:
    """What is free in an open chain once it holds more, where it does not hold its whole cap already."""
    free, held = left_in(tx, chain_id), tx.execute(_HELD, {"wanted": chain_id}).one()
    if free >= wanted or held.settled is not None:
        return free
    row = tx.execute(_PAYER, {"wanted": chain_id}).one()
    caps = Caps(**row.caps)
    if caps.least is None:
        return free
    account = Account(thread=row.account_thread, user=row.account_user, repository=row.account_repository)
    # It counts in the day and month in which it was made: theirs is what it may take more of.
    uses = cap_uses(tx, account, caps, min(now_ms, int(held.created_ms)))
    room = [use.left // max(1, beside) for use in uses]
    more = max(0, min(wanted - free, caps.chain - int(held.reserved), *room))
    _raise(tx, chain_id, more)
    return free + more


def _raise(tx: Transaction, reservation_id: str, more: int) -> None:
    tx.execute(_RAISE, {"wanted": reservation_id, "more": more})


def reserve_task(
    tx: Transaction, run_id: str, chain_id: str, step: str, *, most: int, least: int, now_ms: int
) -> int:
    """Set up to `most` aside for one run of a task out of its chain's rest; returns what was set aside.

    Raises CapReached when less than `least` is left.
    """
    one_at_a_time(tx, "ledger")
    granted = min(most, _extended_chain(tx, chain_id, least, now_ms))
    if granted < least:
        raise CapReached("chain", _reserved(tx, chain_id), left_in(tx, chain_id), least)
    _insert(
        tx, id=run_id, level="task", parent_id=chain_id, chain_id=chain_id, step=step, reserved=granted,
        created_ms=now_ms,
    )  # fmt: skip
    return granted


def reserve_request(
    tx: Transaction, request_id: str, run_id: str, model: str, amount: int, now_ms: int
) -> bool:
    """Set the worst case of one request aside out of its task's rest. False when the rest is too small."""
    one_at_a_time(tx, "ledger")
    task = tx.execute(_OWNER, {"wanted": run_id}).one_or_none()
    if task is None or task.settled is not None or left_in(tx, run_id) < amount:
        return False
    _insert(
        tx, id=request_id, level="request", parent_id=run_id, chain_id=task.chain_id, step=task.step,
        model=model, reserved=amount, created_ms=now_ms,
    )  # fmt: skip
    return True


def book(tx: Transaction, request_id: str, run_id: str, model: str, cost: int, now_ms: int) -> None:
    """Book what a run cost without having reserved it: it is spent, so it counts, whatever was set aside."""
    one_at_a_time(tx, "ledger")
    task = tx.execute(_OWNER, {"wanted": run_id}).one()
    _insert(
        tx, id=request_id, level="request", parent_id=run_id, chain_id=task.chain_id, step=task.step, model=model,
        reserved=cost, settled=cost, created_ms=now_ms, settled_ms=now_ms,
    )  # fmt: skip


def granted(tx: Transaction, reservation_id: str) -> int:
    """What was set aside under an id."""
    return _reserved(tx, reservation_id)


def left_in(tx: Transaction, reservation_id: str) -> int:
    """What an open reservation still holds that none inside it has taken."""
    row = tx.execute(_LEFT, {"wanted": reservation_id}).one()
    if row.settled is not None:  # closed: what is taken now would be counted nowhere
        return 0
    return max(0, int(row.reserved) - int(row.used))


def settle_request(
    tx: Transaction, request_id: str, cost: int, now_ms: int, *, usage: Mapping[str, Any] | None = None,
    upper_bound: bool = False, note: str | None = None,
) -> None:  # fmt: skip
    """Book what a request cost, or at most did. The first settlement stands; a later one changes nothing."""
    _settle(tx, request_id, cost, now_ms, usage=usage, upper_bound=upper_bound, note=note)
    _let_rest_go(tx, request_id)


def settle_request_unknown(tx: Transaction, request_id: str, note: str, now_ms: int) -> None:
    """Book a request at its whole reservation, because what it cost cannot be known."""
    _settle(tx, request_id, _reserved(tx, request_id), now_ms, upper_bound=True, note=note)


def settle(tx: Transaction, reservation_id: str, now_ms: int) -> int:
    """Close a chain's or task's reservation, if it has one, at the sum of what lies inside it; returns that sum.

    Reservations inside that are still open are settled first, as upper bounds: nobody will settle them later.
    """
    total, bound, still_open = tx.execute(_SUM_INSIDE, {"wanted": reservation_id}).one()
    if still_open:
        for row in tx.execute(_OPEN_INSIDE, {"wanted": reservation_id}).all():
            if row.level == "task":
                settle(tx, row.id, now_ms)
            else:
                settle_request_unknown(tx, row.id, "the run ended before the model's answer did", now_ms)
        total, bound, _ = tx.execute(_SUM_INSIDE, {"wanted": reservation_id}).one()
    _settle(tx, reservation_id, int(total), now_ms, upper_bound=bool(bound))
    return int(total)


def cost_of(tx: Transaction, reservation_id: str) -> tuple[int, bool]:
    """What was spent inside a chain or task so far, and whether that is only an upper bound."""
    row = tx.execute(_COST_INSIDE, {"wanted": reservation_id}).one()
    return int(row[0]), bool(row[1])


def cost_of_task(tx: Transaction, task_id: str, attempts: int) -> tuple[int, bool]:
    """What a task has spent in all its attempts, and whether that is only an upper bound."""
    own = [f"{task_id}.{number}" for number in range(1, attempts + 1)]
    row = tx.execute(_COST_OF_RUNS, {"several": own}).one()
    return int(row[0]), bool(row[1])


def cost_of_runs(tx: Transaction, run_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """What each of these runs has spent, as `cost_of` says it; one that has spent nothing is left out."""
    rows = tx.execute(_COST_BY_RUN, {"several": list(run_ids)})
    return {str(run): (int(total), bool(bound)) for run, total, bound in rows}


def cost_of_chains(tx: Transaction, chain_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """What each of these chains has spent so far; one that has spent nothing is left out."""
    rows = tx.execute(_COST_BY_CHAIN, {"several": list(chain_ids)})
    return {str(chain): (int(total), bool(bound)) for chain, total, bound in rows}


def used_by_step(tx: Transaction, chain_id: str, step: str) -> int:
    """What a step's tasks have spent or still hold."""
    return int(tx.execute(_USED_BY_STEP, {"wanted": chain_id, "of_step": step}).scalar_one())


def cost_by_step(tx: Transaction, chain_id: str) -> dict[str, tuple[int, bool]]:
    """What each step of a chain has cost so far, and whether that is only an upper bound."""
    rows = tx.execute(_COST_BY_STEP, {"wanted": chain_id})
    return {str(step): (int(total), bool(bound)) for step, total, bound in rows}


def usual_cost(tx: Transaction, repository: str, verb: str, *, last: int = 20) -> tuple[int, int] | None:
    """The middle half of what this repository's finished chains of a verb have cost; None below four of them."""
    asked = {"of_repository": repository, "of_verb": verb, "last": last}
    return middle_half(tx.execute(USUAL, asked).scalars())


def middle_half(costs: Iterable[int]) -> tuple[int, int] | None:
    """The middle half of these amounts; None below four of them."""
    found = sorted(costs)
    if len(found) < _ENOUGH:
        return None
    return int(found[len(found) // 4]), int(found[(3 * len(found)) // 4])


def _sum(tx: Transaction, total: sa.Select[Any], own: Mapping[str, Any]) -> int:
    return int(tx.execute(total, own).scalar_one())


def _reserved(tx: Transaction, reservation_id: str) -> int:
    return int(tx.execute(_HELD, {"wanted": reservation_id}).one().reserved)


def _insert(tx: Transaction, **values: Any) -> None:
    # A taken id is a fault of the caller's, and must not pass for money set aside: the key constraint says no.
    tx.execute(_INSERT, {"upper_bound": False, **values})


def _settle(tx: Transaction, reservation_id: str, amount: int, now_ms: int, **also: Any) -> None:
    tx.execute(_SETTLE, {"wanted": reservation_id, "settled": amount, "settled_ms": now_ms, **also})


def _starts(now_ms: int) -> tuple[int, int]:
    """The first millisecond of the day and of the month, in UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(day.timestamp() * 1000), int(day.replace(day=1).timestamp() * 1000)
