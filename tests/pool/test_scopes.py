"""Chains count against the caps of whatever scopes a caller names, and are found by them."""

from __future__ import annotations

import pytest

from claude_pool_gh.pool.model.caps import Account, Cap, Caps, CapUse, Window
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store import cap_uses, chains, costs, ledger, lookup
from claude_pool_gh.pool.store.chains import ChainLabels
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import DAY, NOW, plan

TEAM = Cap("team", Window.day, 50)
CAPS = Caps(task=10, chain=30, wider=(TEAM,))


def make(tx: Transaction, name: str, account: Account, caps: Caps = CAPS, now: int = NOW) -> None:
    assert chains.create(
        tx, name, plan(), account, caps, now, ChainLabels(head="a", requester="mona")
    )


@pytest.fixture
def tx(database: Database) -> Transaction:
    connection = database.engine.connect()
    connection.begin()
    return connection


def test_any_word_can_be_a_scope(tx: Transaction) -> None:
    make(tx, "one", {"team": "blue", "floor": "3"})
    with pytest.raises(CapReached, match="the cap per team and day of"):
        make(tx, "two", {"team": "blue"})


def test_the_same_key_of_another_kind_is_another_scope(tx: Transaction) -> None:
    make(tx, "one", {"floor": "blue"}, Caps(task=10, chain=30))
    make(tx, "two", {"team": "red"})
    assert cap_uses.cap_uses(tx, {"team": "blue"}, CAPS, NOW) == [CapUse("team and day", 50, 0)]
    assert cap_uses.cap_uses(tx, {"team": "red"}, CAPS, NOW) == [CapUse("team and day", 50, 30)]


def test_a_cap_without_a_window_counts_for_ever_and_one_of_a_day_does_not(tx: Transaction) -> None:
    make(tx, "one", {"team": "blue"})
    ever = Caps(task=10, chain=30, wider=(Cap("team", Window.ever, 50),))
    later = NOW + 40 * DAY
    assert cap_uses.cap_uses(tx, {"team": "blue"}, ever, later)[0].used == 30
    assert cap_uses.cap_uses(tx, {"team": "blue"}, CAPS, later)[0].used == 0


def test_a_chain_with_a_cap_of_a_scope_says_which_one(tx: Transaction) -> None:
    with pytest.raises(
        ValueError, match="a chain with a cap of its team must say which one that is"
    ):
        make(tx, "one", {"floor": "3"})


def test_spending_tells_of_each_request_what_it_was_for(tx: Transaction) -> None:
    make(tx, "one", {"team": "blue"})
    make(tx, "other", {"team": "red"})
    for name in ("one", "other"):
        ledger.reserve_task(tx, f"{name}.1", name, "find", most=9, least=1, now_ms=NOW)
        ledger.reserve_request(tx, f"{name}.r", f"{name}.1", "m", 9, NOW)
        ledger.settle_request(tx, f"{name}.r", 4, NOW)
    (paid,) = costs.spending(tx, "team", "blue", NOW - 1)
    assert (paid.chain_id, paid.verb, paid.requester, paid.model, paid.cost) == (
        "one",
        "review",
        "mona",
        "m",
        4,
    )
    assert costs.spending(tx, "team", "blue", NOW) == []


def test_the_chains_of_a_scope_are_found_by_verb_and_state(tx: Transaction) -> None:
    for number in range(3):
        make(tx, f"c{number}", {"team": f"{number % 2}"}, Caps(task=1, chain=1), NOW + number)
    chains.begin(tx, chains.get(tx, "c0"), NOW)
    chains.request_cancel(tx, "c1", NOW)
    assert [each.id for each in lookup.newest_of(tx, "team", "0", limit=9)] == ["c2", "c0"]
    assert [each.id for each in lookup.newest_of(tx, "team", "0", limit=1)] == ["c2"]
    assert sorted(lookup.open_of(tx, "team", ["0", "1"])) == ["c0", "c2"]
    assert lookup.ended_of(tx, "team", "1", limit=9) == ["c1"]
    assert lookup.running(tx, limit=9) == ["c0"]
    assert sorted(lookup.on_the_way(tx)) == ["c0", "c2"]
    assert {each.id for each in lookup.on_the_way_of(tx, "team", "0", "review")} == {"c0", "c2"}
    assert lookup.on_the_way_of(tx, "team", "0", "fix") == []
    assert [(each.id, each.head) for each in lookup.related_to(tx, "c0", "team")] == [
        ("c2", "a"),
        ("c0", "a"),
    ]
    assert lookup.under_way(tx, ["c0", "c1", "none"]) == {"c0"}
    assert (lookup.state_of(tx, "c0"), lookup.state_of(tx, "none")) == ("running", None)
