"""Money: no cap is ever exceeded, each sum is settled once, each child counted once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.caps import Account, CapUse
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store import cap_uses, chains, costs, ledger
from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import DAY, NOW, account, caps, plan

MONA = account()
Run = Callable[[Callable[[Transaction], Any]], Any]


@pytest.fixture
def run(database: Database) -> Run:
    def run(work: Callable[[Transaction], Any]) -> Any:
        with database.engine.begin() as tx:
            return work(tx)

    return run


def chain(
    run: Run,
    chain_id: str,
    now: int = NOW,
    *,
    who: Account = MONA,
    verb: str = "review",
    **limits: Any,
) -> None:
    run(lambda tx: chains.create(tx, chain_id, plan(verb), who, caps(**limits), now))


def refused(run: Run, now: int = NOW, *, who: Account = MONA, **limits: Any) -> str:
    with pytest.raises(CapReached) as raised:
        chain(run, "refused", now, who=who, **limits)
    assert raised.value.left < raised.value.asked
    assert (
        run(
            lambda tx: tx.execute(
                sa.select(reservations).where(reservations.c.id == "refused")
            ).all()
        )
        == []
    )
    return raised.value.cap


def task(
    run: Run, run_id: str, chain_id: str, most: int = 10, least: int = 1, step: str = "find"
) -> int:
    return int(
        run(
            lambda tx: ledger.reserve_task(
                tx, run_id, chain_id, step, most=most, least=least, now_ms=NOW
            )
        )
    )


def request(run: Run, request_id: str, run_id: str, amount: int) -> bool:
    return bool(run(lambda tx: ledger.reserve_request(tx, request_id, run_id, "m", amount, NOW)))


def row(run: Run, reservation_id: str) -> tuple[int | None, bool]:
    found = run(
        lambda tx: tx.execute(
            sa.select(reservations).where(reservations.c.id == reservation_id)
        ).one()
    )
    return found.settled, bool(found.upper_bound)


@pytest.mark.parametrize(
    ("cap", "limits", "other"),
    [
        ("thread", {"thread": 59}, account(user="x", repository="2")),
        ("user and day", {"user_day": 59}, account(thread="x", repository="2")),
        ("repository and month", {"repository_month": 59}, account(thread="x", user="x")),
        ("pool and month", {"pool": 59}, account(thread="x", user="x", repository="2")),
    ],
)
def test_each_cap_holds_for_its_own(
    run: Run, cap: str, limits: dict[str, Any], other: Account
) -> None:
    chain(run, "a", **limits)
    assert refused(run, who=other, **limits) == cap
    chain(run, "b", who=other, **{name: limit + 1 for name, limit in limits.items()})


@pytest.mark.parametrize("limits", [{"thread": 59}, {"user_day": 59}, {"repository_month": 59}])
def test_others_do_not_count_against_a_cap(run: Run, limits: dict[str, Any]) -> None:
    chain(run, "a", **limits)
    chain(run, "b", who=account(thread="x", user="x", repository="x"), **limits)


def test_the_narrowest_cap_that_is_too_small_is_named(run: Run) -> None:
    assert refused(run, thread=1, user_day=1, repository_month=1, pool=1) == "thread"
    assert refused(run, user_day=1, repository_month=1, pool=1) == "user and day"
    assert refused(run, repository_month=1, pool=1) == "repository and month"
    assert refused(run, pool=1) == "pool and month"


def test_a_day_ends_at_midnight_and_a_month_with_its_last_day(run: Run) -> None:
    chain(run, "a", user_day=30)
    midnight = NOW - NOW % DAY + DAY
    assert refused(run, midnight - 1, user_day=59) == "user and day"
    chain(run, "b", midnight, user_day=30, repository_month=60)
    september = midnight + 25 * DAY  # from the 7th of August
    assert refused(run, september - 1, repository_month=89, pool=89) == "repository and month"
    chain(run, "c", september, repository_month=30, pool=30, thread=90)
    assert refused(run, september + 400 * DAY, thread=119) == "thread"


def test_what_was_spent_before_the_clock_was_set_back_still_counts(run: Run) -> None:
    chain(run, "ahead", NOW + 31 * DAY, user_day=30, repository_month=30, pool=30)
    assert refused(run, NOW, user_day=59) == "user and day"
    assert refused(run, NOW, repository_month=59, pool=59) == "repository and month"
    assert refused(run, NOW, pool=59) == "pool and month"


def test_what_a_chain_did_not_use_is_free_again(run: Run) -> None:
    chain(run, "a", thread=59)
    assert task(run, "a.1", "a") == 10
    assert request(run, "r", "a.1", 8)
    run(lambda tx: ledger.settle_request(tx, "r", 5, NOW))
    assert refused(run, thread=59) == "thread"
    run(lambda tx: ledger.settle(tx, "a", NOW))
    chain(run, "b", thread=59)
    uses = run(lambda tx: cap_uses.cap_uses(tx, account(), caps(thread=59, pool=99), NOW))
    assert uses == [
        CapUse("thread", 59, 35),
        CapUse("user and day", 200, 35),
        CapUse("repository and month", 1000, 35),
        CapUse("pool and month", 99, 35),
    ]
    assert [use.left for use in uses] == [24, 165, 965, 64]
    assert CapUse("x", 10, 12).left == 0


def test_a_task_gets_what_is_left_but_not_less_than_it_needs(run: Run) -> None:
    chain(run, "a")
    assert task(run, "a.1", "a", most=25) == 25
    assert task(run, "a.2", "a", most=25, least=5) == 5
    with pytest.raises(CapReached) as raised:
        task(run, "a.3", "a", least=1)
    assert (raised.value.cap, raised.value.limit, raised.value.left, raised.value.asked) == (
        "chain",
        30,
        0,
        1,
    )
    run(lambda tx: ledger.settle(tx, "a.1", NOW))
    assert task(run, "a.4", "a", most=99) == 25


def test_a_request_fits_into_its_task_or_is_refused(run: Run) -> None:
    chain(run, "a")
    task(run, "a.1", "a")
    assert request(run, "r1", "a.1", 6)
    assert not request(run, "r2", "a.1", 5)
    assert request(run, "r3", "a.1", 4)
    assert not request(run, "r4", "a.1", 1)
    run(lambda tx: ledger.settle_request(tx, "r1", 2, NOW))
    assert request(run, "r5", "a.1", 4)
    assert not request(run, "r6", "nobody", 1)


def test_nothing_is_taken_out_of_what_is_closed(run: Run) -> None:
    chain(run, "a")
    task(run, "a.1", "a")
    run(lambda tx: ledger.settle(tx, "a.1", NOW))
    assert not request(run, "r1", "a.1", 1)
    assert run(lambda tx: ledger.left_in(tx, "a.1")) == 0
    run(lambda tx: ledger.settle(tx, "a", NOW))
    with pytest.raises(CapReached):
        task(run, "a.2", "a")
    assert row(run, "a") == (0, False)


def test_the_first_settlement_stands(run: Run) -> None:
    chain(run, "a")
    task(run, "a.1", "a")
    request(run, "r", "a.1", 8)
    run(lambda tx: ledger.settle_request(tx, "r", 3, NOW, usage={"input_tokens": 7}))
    run(lambda tx: ledger.settle_request(tx, "r", 8, NOW))
    run(lambda tx: ledger.settle_request_unknown(tx, "r", "late", NOW))
    assert row(run, "r") == (3, False)
    assert [run(lambda tx: ledger.settle(tx, "a", NOW)) for _ in range(2)] == [3, 3]
    assert run(
        lambda tx: tx.execute(sa.select(reservations.c.usage, reservations.c.note)).all()
    ).count(({"input_tokens": 7}, None))


def test_a_request_nobody_can_price_costs_all_of_it_and_marks_its_chain(run: Run) -> None:
    chain(run, "a")
    task(run, "a.1", "a")
    task(run, "a.2", "a", step="verify")
    for request_id, run_id in (("r1", "a.1"), ("r2", "a.1"), ("r3", "a.2")):
        request(run, request_id, run_id, 4)
    run(lambda tx: ledger.settle_request(tx, "r1", 1, NOW))
    run(lambda tx: ledger.settle_request_unknown(tx, "r2", "cut", NOW))
    assert run(lambda tx: costs.cost_of(tx, "a.1")) == (5, True)
    assert run(lambda tx: costs.cost_of(tx, "a")) == (5, True)
    run(lambda tx: ledger.settle_request(tx, "r3", 2, NOW))
    assert run(lambda tx: costs.cost_of(tx, "a.2")) == (2, False)
    assert run(lambda tx: costs.cost_by_step(tx, "a")) == {"find": (5, True), "verify": (2, False)}
    assert run(lambda tx: ledger.settle(tx, "a", NOW)) == 7
    assert [row(run, name) for name in ("a", "a.1", "a.2")] == [(7, True), (5, True), (2, False)]


def test_closing_a_chain_closes_all_that_is_open_inside(run: Run) -> None:
    chain(run, "a")
    task(run, "a.1", "a")
    task(run, "a.2", "a")
    request(run, "r", "a.1", 6)
    assert run(lambda tx: ledger.settle(tx, "a", NOW)) == 6
    assert [row(run, name) for name in ("a", "a.1", "a.2", "r")] == [
        (6, True),
        (6, True),
        (0, False),
        (6, True),
    ]
    run(lambda tx: ledger.settle_request(tx, "r", 1, NOW))
    assert row(run, "r") == (6, True)


def test_what_is_usual_is_the_middle_half_of_the_last_runs(run: Run) -> None:
    def finish(name: str, cost: int, verb: str = "review", repository: str = "1") -> None:
        who = account(thread=name, repository=repository)
        chain(run, name, who=who, verb=verb, repository_month=10_000, user_day=10_000)
        task(run, f"{name}.1", name, most=30)
        request(run, f"{name}.r", f"{name}.1", 30)
        run(lambda tx: ledger.settle_request(tx, f"{name}.r", cost, NOW))
        run(lambda tx: ledger.settle(tx, name, NOW + int(name[1:])))

    for number, cost in enumerate([9, 1, 5]):
        finish(f"c{number}", cost)
    finish("x3", 30, verb="ask")
    finish("y4", 30, repository="2")
    finish("z5", 0)
    assert run(lambda tx: costs.usual_cost(tx, "repository", "1", "review")) is None
    finish("c6", 7)
    assert run(lambda tx: costs.usual_cost(tx, "repository", "1", "review")) == (5, 9)
    assert run(lambda tx: costs.usual_cost(tx, "repository", "1", "review", last=4)) == (5, 9)
    finish("c7", 30)
    assert run(lambda tx: costs.usual_cost(tx, "repository", "1", "review", last=4)) == (5, 30)
    assert run(lambda tx: costs.usual_cost(tx, "repository", "2", "review")) is None


def test_a_chain_that_may_begin_with_little_takes_more_as_it_needs_it_and_never_more_than_every_cap(
    run: Run,
) -> None:
    caps: dict[str, Any] = {
        "least": 5,
        "pool": 40,
        "thread": None,
        "user_day": None,
        "repository_month": None,
    }
    chain(run, "a", **caps)
    assert run(lambda tx: ledger.granted(tx, "a")) == 5
    assert task(run, "a.1", "a", most=25, least=5) == 5
    chain(run, "b", **caps)
    assert task(run, "b.1", "b", most=25, least=5) == 5

    def extend(name: str, wanted: int, most: int | None = 25) -> int:
        return int(run(lambda tx: ledger.extend(tx, name, wanted, most, NOW)))

    assert extend("a.1", 4) == 5, "it has that"
    assert extend("a.1", 20, None) == 5, "nobody said that it may"
    assert extend("a.1", 20) == 20
    assert request(run, "r1", "a.1", 20)
    assert extend("a.1", 20) == 5, "its own cap is 25"
    assert extend("b.1", 25) == 15, "what the pool's cap of 40 leaves"
    assert not request(run, "r2", "b.1", 16)
    with pytest.raises(CapReached, match=r"pool and month .* set PoolConfig\.budget_microdollars"):
        chain(run, "c", **caps)
    assert extend("nobody", 5) == 0
    run(lambda tx: ledger.settle(tx, "a.1", NOW))
    assert extend("a.1", 5) == 0, "it is closed"


def test_a_chain_whose_whole_cap_is_set_aside_does_not_grow(run: Run) -> None:
    chain(run, "a")
    assert task(run, "a.1", "a", most=10) == 10
    assert run(lambda tx: ledger.extend(tx, "a.1", 99, 99, NOW)) == 30
    assert run(lambda tx: ledger.granted(tx, "a")) == 30
