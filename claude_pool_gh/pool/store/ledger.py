"""Money set aside and booked: the one writer of reservations.

Reservations are a tree: a chain reserves its cap, each task reserves inside its chain, each request
to the model inside its task. What lies inside one counts against it until it is settled, exactly
once: at what was used or, where nobody can know, at all of it, marked as an upper bound. The
chain's own counts against the wider caps, see `cap_uses`.

So no cap is ever exceeded: nothing is spent that was not reserved before, and everything is reserved
inside something that is large enough. Three rules keep that true while many write at the same time:

- Whoever reserves or settles inside a chain, or lets it hold more, takes the lock of that chain first; whoever
  takes more of the wider caps takes the lock `ledger` as well, after it. So sums are read and used by
  one at a time, and chains that share no cap do not wait for each other's commits.
- A settled reservation takes nothing in any more (`left_in` is 0), and its first settlement stands.
- A chain that may begin with less than its cap (`Caps.least`) holds what its tasks need, and takes
  more from the wider caps as they need it (`extend`); after each request it lets go what is beyond
  the next one's least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account, Caps
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store import cap_uses
from claude_pool_gh.pool.store.cap_uses import USED
from claude_pool_gh.pool.store.costs import BOUND
from claude_pool_gh.pool.store.tables import chains, reservations
from claude_pool_gh.storage import Transaction, insert_once, one_at_a_time

_WIDER: Final = "ledger"
"""The lock of the caps that chains share."""

_R: Final = reservations.c
_INSIDE: Final = reservations.alias("inside")

# Built once: see `chains`.
_WANTED: Final[sa.BindParameter[str]] = sa.bindparam("wanted")
_KNOWN: Final = sa.select(_R.id).where(_R.id == _WANTED)
_HELD: Final = sa.select(_R.reserved, _R.settled, _R.created_ms).where(_R.id == _WANTED)
_OWNER: Final = sa.select(_R.chain_id, _R.step).where(_R.id == _WANTED)
_USED_INSIDE: Final = sa.select(USED).where(_R.parent_id == _WANTED)
_I: Final = _INSIDE.c
_LEFT: Final = sa.select(
    _R.reserved,
    _R.settled,
    _R.created_ms,
    sa.select(sa.func.coalesce(sa.func.sum(sa.func.coalesce(_I.settled, _I.reserved)), 0))
    .where(_I.parent_id == _WANTED)
    .correlate(None)
    .scalar_subquery()
    .label("used"),
).where(_R.id == _WANTED)
_USED_BY_STEP: Final = sa.select(USED).where(
    _R.chain_id == _WANTED, _R.level == "task", _R.step == sa.bindparam("of_step")
)
_OPEN_INSIDE: Final = sa.select(_R.id, _R.level).where(
    _R.parent_id == _WANTED, _R.settled.is_(None)
)
_SUM_INSIDE: Final = sa.select(USED, BOUND, sa.func.count() - sa.func.count(_R.settled)).where(
    _R.parent_id == _WANTED
)
_INSERT: Final = reservations.insert()
_PAYER: Final = sa.select(chains.c.account, chains.c.caps).where(chains.c.id == _WANTED)
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
_CLOSE: Final = (
    _SETTLE.where(~sa.exists().where(_I.parent_id == _WANTED, _I.settled.is_(None)).correlate(None))
    .values(
        settled=sa.select(sa.func.coalesce(sa.func.sum(_I.settled), 0))
        .where(_I.parent_id == _WANTED)
        .correlate(None)
        .scalar_subquery(),
        upper_bound=sa.select(sa.func.coalesce(sa.func.max(sa.cast(_I.upper_bound, sa.Integer)), 0))
        .where(_I.parent_id == _WANTED)
        .correlate(None)
        .scalar_subquery()
        == 1,
        settled_ms=sa.bindparam("now"),
    )
    .returning(_R.settled)
)
"""Settles a reservation inside which nothing is open."""


def reserve_chain(
    tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int
) -> None:
    """Set the chain's whole cap aside or, where it may begin with less and a wider cap holds for it, only that.

    Raises CapReached, naming the narrowest cap that is too small.
    """
    if caps.shared:
        one_at_a_time(tx, _WIDER)
    limited = cap_uses.check(tx, account, caps, caps.to_begin, now_ms)
    amount = caps.to_begin if limited else caps.chain
    _insert(tx, id=chain_id, level="chain", chain_id=chain_id, reserved=amount, created_ms=now_ms)


def ensure_reserved(
    tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int
) -> None:
    """As `reserve_chain`, unless a chain's money was set aside already."""
    if not caps.shared:
        values = {"id": chain_id, "level": "chain", "chain_id": chain_id, "reserved": caps.chain}
        insert_once(tx, reservations, {**values, "upper_bound": False, "created_ms": now_ms})
    elif tx.execute(_KNOWN, {"wanted": chain_id}).first() is None:
        reserve_chain(tx, chain_id, account, caps, now_ms)


def release(tx: Transaction, chain_id: str) -> None:
    """Keep only what a chain has spent: while it is parked, others may use the rest."""
    used = tx.execute(_USED_INSIDE, {"wanted": chain_id}).scalar_one()
    tx.execute(
        reservations.update()
        .where(_R.id == chain_id, _R.settled.is_(None))
        .values(reserved=int(used))
    )


def reacquire(tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int) -> None:
    """Set aside again what a parked chain let go. Raises CapReached."""
    one_at_a_time(tx, _WIDER)
    more = min(caps.chain - _reserved(tx, chain_id), caps.to_begin)
    if more > 0:
        cap_uses.check(tx, account, caps, more, now_ms)
        _raise(tx, chain_id, more)


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
    if (task := _locked(tx, run_id)) is None:
        return 0
    held = tx.execute(_LEFT, {"wanted": run_id}).one()
    if held.settled is not None:
        return 0
    free = _free(held)
    more = min(wanted - free, (most or 0) - int(held.reserved))
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
    return Caps.from_json(tx.execute(_PAYER, {"wanted": chain_id}).one().caps).least


def _let_rest_go(tx: Transaction, request_id: str) -> None:
    """After a request, let a run that takes more as it needs it hold no more than it has used and the least.

    Else each would hold until its end what its dearest request needed, and others were refused for it.
    """
    row = tx.execute(_PARENTS, {"wanted": request_id}).one_or_none()
    if row is None or row.parent_id is None or (least := _least(tx, row.chain_id)) is None:
        return
    run_id, chain_id = row.parent_id, row.chain_id
    _lock(tx, chain_id)
    for each in (run_id, chain_id):
        used = int(tx.execute(_USED_INSIDE, {"wanted": each}).scalar_one())
        tx.execute(_LOWER, {"wanted": each, "most": used + (least if each == run_id else 0)})


def _extended_chain(
    tx: Transaction, chain_id: str, wanted: int, now_ms: int, beside: int = 1
) -> int:
    """The money that is free in an open chain once it holds more, where it does not hold its whole cap already."""
    held = tx.execute(_LEFT, {"wanted": chain_id}).one()
    free = _free(held)
    if free >= wanted or held.settled is not None:
        return free
    row = tx.execute(_PAYER, {"wanted": chain_id}).one()
    caps = Caps.from_json(row.caps)
    if caps.least is None:
        return free
    one_at_a_time(tx, _WIDER)
    # It counts in the day and month in which it was made: theirs is what it may take more of.
    uses = cap_uses.cap_uses(tx, row.account, caps, min(now_ms, int(held.created_ms)))
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
    _lock(tx, chain_id)
    granted = min(most, _extended_chain(tx, chain_id, least, now_ms))
    if granted < least:
        raise CapReached("chain", _reserved(tx, chain_id), left_in(tx, chain_id), least)
    _insert(
        tx,
        id=run_id,
        level="task",
        parent_id=chain_id,
        chain_id=chain_id,
        step=step,
        reserved=granted,
        created_ms=now_ms,
    )
    return granted


def reserve_request(
    tx: Transaction, request_id: str, run_id: str, model: str, amount: int, now_ms: int
) -> bool:
    """Set the worst case of one request aside out of its task's rest. False when the rest is too small."""
    task = _locked(tx, run_id)
    held = tx.execute(_LEFT, {"wanted": run_id}).one_or_none()
    if task is None or held is None or held.settled is not None or _free(held) < amount:
        return False
    _insert(
        tx,
        id=request_id,
        level="request",
        parent_id=run_id,
        chain_id=task.chain_id,
        step=task.step,
        model=model,
        reserved=amount,
        created_ms=now_ms,
    )
    return True


def book(tx: Transaction, request_id: str, run_id: str, model: str, cost: int, now_ms: int) -> None:
    """Book what a run cost without having reserved it: it is spent, so it counts, whatever was set aside."""
    task = _locked(tx, run_id)
    if task is None:
        raise KeyError(f"nothing was set aside for {run_id}, so nothing can be booked inside it")
    _insert(
        tx,
        id=request_id,
        level="request",
        parent_id=run_id,
        chain_id=task.chain_id,
        step=task.step,
        model=model,
        reserved=cost,
        settled=cost,
        created_ms=now_ms,
        settled_ms=now_ms,
    )


def granted(tx: Transaction, reservation_id: str) -> int:
    """The money that was set aside under an id."""
    return _reserved(tx, reservation_id)


def left_in(tx: Transaction, reservation_id: str) -> int:
    """The money that an open reservation still holds and that none inside it has taken."""
    return _free(tx.execute(_LEFT, {"wanted": reservation_id}).one())


def _free(row: sa.Row[*tuple[Any, ...]]) -> int:
    """The amount that is left by a row of `_LEFT`."""
    if row.settled is not None:  # closed: what is taken now would be counted nowhere
        return 0
    return max(0, int(row.reserved) - int(row.used))


def settle_request(
    tx: Transaction,
    request_id: str,
    cost: int,
    now_ms: int,
    *,
    usage: Mapping[str, Any] | None = None,
    upper_bound: bool = False,
    note: str | None = None,
) -> None:
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
    if tx.dialect.name == "postgresql":  # SQLite's writers queue anyway
        _locked(tx, reservation_id)
    closed = tx.execute(_CLOSE, {"wanted": reservation_id, "now": now_ms}).one_or_none()
    if closed is not None:
        return int(closed.settled)
    total, bound, still_open = tx.execute(_SUM_INSIDE, {"wanted": reservation_id}).one()
    if still_open:
        for row in tx.execute(_OPEN_INSIDE, {"wanted": reservation_id}).all():
            if row.level == "task":
                settle(tx, row.id, now_ms)
            else:
                settle_request_unknown(
                    tx, row.id, "the run ended before the model's answer did", now_ms
                )
        total, bound, _ = tx.execute(_SUM_INSIDE, {"wanted": reservation_id}).one()
    _settle(tx, reservation_id, int(total), now_ms, upper_bound=bool(bound))
    return int(total)


def used_by_step(tx: Transaction, chain_id: str, step: str) -> int:
    """The money that a step's tasks have spent or still hold."""
    return int(tx.execute(_USED_BY_STEP, {"wanted": chain_id, "of_step": step}).scalar_one())


def _lock(tx: Transaction, chain_id: str) -> None:
    """Let nobody else reserve inside a chain until this transaction ends; sums read from now on hold."""
    one_at_a_time(tx, f"ledger {chain_id}")


def _locked(tx: Transaction, reservation_id: str) -> sa.Row[*tuple[Any, ...]] | None:
    """The chain and the step of a reservation, once the lock of its chain is taken; None where there is none."""
    found = tx.execute(_OWNER, {"wanted": reservation_id}).one_or_none()
    if found is not None:
        _lock(tx, found.chain_id)
    return found


def _reserved(tx: Transaction, reservation_id: str) -> int:
    return int(tx.execute(_HELD, {"wanted": reservation_id}).one().reserved)


def _insert(tx: Transaction, **values: Any) -> None:
    # A taken id is a fault of the caller's, and must not pass for money set aside: the key constraint says no.
    tx.execute(_INSERT, {"upper_bound": False, **values})


def _settle(tx: Transaction, reservation_id: str, amount: int, now_ms: int, **also: Any) -> None:
    tx.execute(_SETTLE, {"wanted": reservation_id, "settled": amount, "settled_ms": now_ms, **also})
