"""Money set aside, money spent, and the rows of both.

A chain reserves its cap against its thread's, user's, repository's and pool's caps; each task reserves inside
its chain, each request to the model inside its task. A reservation is settled exactly once, with what was used
or, where nobody can know, with all of it, marked as an upper bound. What a scope has used is the sum of its
reservations, settled ones at what they cost and open ones in full: so no cap is ever passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.errors import CapReached
from claude_pool_gh.pool.tables import chains, reservations
from claude_pool_gh.storage import Transaction, one_at_a_time

_R: Final = reservations.c
_USED: Final = sa.func.coalesce(sa.func.sum(sa.func.coalesce(_R.settled, _R.reserved)), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Limits in microdollars, from the narrowest to the widest. `pool` counts per calendar month."""

    task: int
    chain: int
    thread: int
    user_day: int
    repository_month: int
    pool: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose caps a chain counts against; the pool only compares these texts."""

    thread: str
    user: str
    repository: str


@dataclass(frozen=True, slots=True)
class CapUse:
    """One cap and what of it is spent or set aside."""

    name: str
    limit: int
    used: int

    @property
    def left(self) -> int:
        """What may still be reserved."""
        return max(0, self.limit - self.used)


def cap_uses(tx: Transaction, account: Account, caps: Caps, now_ms: int) -> list[CapUse]:
    """Every cap that a new chain of this account would count against, narrowest first."""
    day, month = _starts(now_ms)
    user = sa.and_(chains.c.account_user == account.user, _R.created_ms >= day)
    repository = sa.and_(chains.c.account_repository == account.repository, _R.created_ms >= month)
    uses = [
        CapUse("thread", caps.thread, _used_by_chains(tx, chains.c.account_thread == account.thread)),
        CapUse("user and day", caps.user_day, _used_by_chains(tx, user)),
        CapUse("repository and month", caps.repository_month, _used_by_chains(tx, repository)),
    ]
    if caps.pool is not None:
        uses.append(CapUse("pool and month", caps.pool, _used_by_chains(tx, _R.created_ms >= month)))
    return uses


def reserve_chain(tx: Transaction, chain_id: str, account: Account, caps: Caps, now_ms: int) -> None:
    """Set the chain's whole cap aside. Raises CapReached, naming the narrowest cap that is too small."""
    one_at_a_time(tx, "ledger")
    for use in cap_uses(tx, account, caps, now_ms):
        if use.left < caps.chain:
            raise CapReached(use.name, use.limit, use.left, caps.chain)
    _insert(tx, id=chain_id, level="chain", chain_id=chain_id, reserved=caps.chain, created_ms=now_ms)


def reserve_task(
    tx: Transaction, run_id: str, chain_id: str, step: str, *, most: int, least: int, now_ms: int
) -> int:
    """Set up to `most` aside for one run of a task out of its chain's rest; returns what was set aside.

    Raises CapReached when less than `least` is left.
    """
    one_at_a_time(tx, "ledger")
    granted = min(most, left_in(tx, chain_id))
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
    task = tx.execute(sa.select(_R.chain_id, _R.step, _R.settled).where(_R.id == run_id)).one_or_none()
    if task is None or task.settled is not None or left_in(tx, run_id) < amount:
        return False
    _insert(
        tx, id=request_id, level="request", parent_id=run_id, chain_id=task.chain_id, step=task.step,
        model=model, reserved=amount, created_ms=now_ms,
    )  # fmt: skip
    return True


def left_in(tx: Transaction, reservation_id: str) -> int:
    """What an open reservation still holds that none inside it has taken."""
    row = tx.execute(sa.select(_R.reserved, _R.settled).where(_R.id == reservation_id)).one()
    if row.settled is not None:  # closed: what is taken now would be counted nowhere
        return 0
    used = tx.execute(sa.select(_USED).where(_R.parent_id == reservation_id)).scalar_one()
    return max(0, int(row.reserved) - int(used))


def settle_request(
    tx: Transaction, request_id: str, cost: int, now_ms: int, *, usage: Mapping[str, Any] | None = None
) -> None:
    """Book what a request cost. The first settlement stands; a later one changes nothing."""
    _settle(tx, request_id, cost, now_ms, usage=usage)


def settle_request_unknown(tx: Transaction, request_id: str, note: str, now_ms: int) -> None:
    """Book a request at its whole reservation, because what it cost cannot be known."""
    _settle(tx, request_id, _reserved(tx, request_id), now_ms, upper_bound=True, note=note)


def settle(tx: Transaction, reservation_id: str, now_ms: int) -> int:
    """Close a chain's or task's reservation at the sum of what lies inside it; returns that sum.

    Reservations inside that are still open are settled first, as upper bounds: nobody will settle them later.
    """
    inside = tx.execute(
        sa.select(_R.id, _R.level).where(_R.parent_id == reservation_id, _R.settled.is_(None))
    ).all()
    for row in inside:
        if row.level == "task":
            settle(tx, row.id, now_ms)
        else:
            settle_request_unknown(tx, row.id, "the run ended before the model's answer did", now_ms)
    total = tx.execute(
        sa.select(_USED, sa.func.max(sa.cast(_R.upper_bound, sa.Integer))).where(
            _R.parent_id == reservation_id
        )
    ).one()
    _settle(tx, reservation_id, int(total[0]), now_ms, upper_bound=bool(total[1]))
    return int(total[0])


def cost_of(tx: Transaction, reservation_id: str) -> tuple[int, bool]:
    """What was spent inside a chain or task so far, and whether that is only an upper bound."""
    row = tx.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(_R.settled), 0), sa.func.max(sa.cast(_R.upper_bound, sa.Integer))
        ).where(_R.level == "request", sa.or_(_R.parent_id == reservation_id, _R.chain_id == reservation_id))
    ).one()
    return int(row[0]), bool(row[1])


def used_by_step(tx: Transaction, chain_id: str, step: str) -> int:
    """What a step's tasks have spent or still hold."""
    own = sa.and_(_R.chain_id == chain_id, _R.level == "task", _R.step == step)
    return int(tx.execute(sa.select(_USED).where(own)).scalar_one())


def cost_by_step(tx: Transaction, chain_id: str) -> dict[str, tuple[int, bool]]:
    """What each step of a chain has cost so far, and whether that is only an upper bound."""
    rows = tx.execute(
        sa.select(_R.step, sa.func.sum(_R.settled), sa.func.max(sa.cast(_R.upper_bound, sa.Integer)))
        .where(_R.level == "request", _R.chain_id == chain_id, _R.settled.is_not(None))
        .group_by(_R.step)
    )
    return {str(step): (int(total), bool(bound)) for step, total, bound in rows}


def usual_cost(tx: Transaction, repository: str, verb: str, *, last: int = 20) -> tuple[int, int] | None:
    """The middle half of what this repository's finished chains of a verb have cost; None below four of them."""
    costs = sorted(
        tx.execute(
            sa.select(_R.settled)
            .join(chains, chains.c.id == _R.id)
            .where(
                _R.level == "chain",
                _R.settled > 0,
                chains.c.account_repository == repository,
                chains.c.plan["verb"].as_string() == verb,
            )
            .order_by(_R.settled_ms.desc())
            .limit(last)
        ).scalars()
    )
    if len(costs) < 4:
        return None
    return int(costs[len(costs) // 4]), int(costs[(3 * len(costs)) // 4])


def _used_by_chains(tx: Transaction, condition: sa.ColumnElement[bool]) -> int:
    statement = sa.select(_USED).join(chains, chains.c.id == _R.id).where(_R.level == "chain", condition)
    return int(tx.execute(statement).scalar_one())


def _reserved(tx: Transaction, reservation_id: str) -> int:
    return int(tx.execute(sa.select(_R.reserved).where(_R.id == reservation_id)).scalar_one())


def _insert(tx: Transaction, **values: Any) -> None:
    # A taken id is a fault of the caller's, and must not pass for money set aside: the key constraint says no.
    tx.execute(reservations.insert().values(upper_bound=False, **values))


def _settle(tx: Transaction, reservation_id: str, amount: int, now_ms: int, **also: Any) -> None:
    tx.execute(
        reservations.update()
        .where(_R.id == reservation_id, _R.settled.is_(None))
        .values(settled=amount, settled_ms=now_ms, **also)
    )


def _starts(now_ms: int) -> tuple[int, int]:
    """The first millisecond of the day and of the month, in UTC."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(day.timestamp() * 1000), int(day.replace(day=1).timestamp() * 1000)
