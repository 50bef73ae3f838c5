"""What events have told of threads and repositories, and which of it a later event changes."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github import cursors, decisions, restored, thread_rows
from claude_pool_gh.github.decisions import Approval
from claude_pool_gh.github.tables import deliveries, repositories
from claude_pool_gh.github.thread_rows import KnownThread
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Actor
from tests.github.known import KEY, MONA, SHOP, also

ANNA = Actor(id=2, login="anna")
DAY = 86_400_000


# ---- threads


def test_of_a_thread_that_nobody_told_of_nothing_is_known(tx: Transaction) -> None:
    assert thread_rows.known(tx, KEY) is None


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({"head": "new"}, KnownThread("new", open=True, base="main")),
        ({"base": "next"}, KnownThread("old", open=True, base="next")),
        ({"is_open": False}, KnownThread("old", open=False, base="main")),
        ({"is_open": None, "base": "next"}, KnownThread("old", open=False, base="next")),
        ({"is_open": None}, KnownThread("old", open=False, base="main")),
        ({}, KnownThread("old", open=True, base="main")),
    ],
)
def test_what_an_event_does_not_tell_stays_as_it_was(
    either: Transaction, told: dict[str, Any], known: KnownThread
) -> None:
    thread_rows.note(either, "1:8", head="another", base="elsewhere")
    thread_rows.note(either, KEY, head="old", base="main", is_open=False)
    thread_rows.note(either, KEY, **told)
    assert thread_rows.known(either, KEY) == known
    assert thread_rows.known(either, "1:8") == KnownThread("another", open=True, base="elsewhere")


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({}, KnownThread("", open=True)),
        ({"is_open": None}, KnownThread("", open=True)),
        ({"is_open": False}, KnownThread("", open=False)),
    ],
)
def test_the_first_that_is_heard_of_a_thread_may_be_little(
    tx: Transaction, told: dict[str, Any], known: KnownThread
) -> None:
    thread_rows.note(tx, KEY, **told)
    assert thread_rows.known(tx, KEY) == known


# ---- repositories


def states(tx: Transaction) -> dict[int, str]:
    rows = tx.execute(repositories.select())
    return {row.id: row.state for row in rows}


def test_a_repository_of_which_nothing_bad_was_told_is_reachable(tx: Transaction) -> None:
    for number, state in enumerate(("archived", "suspended", "removed"), 2):
        also(tx, number, state=state)
    assert [thread_rows.is_reachable(tx, each) for each in (1, 2, 3, 4, 99)] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_a_repository_is_told_with_the_names_and_the_installation_that_it_has(
    tx: Transaction,
) -> None:
    other = also(tx, 2, installation_id=10)
    assert thread_rows.repository(tx, 1) == SHOP
    assert thread_rows.repository(tx, 2) == other
    assert thread_rows.of_installation(tx, 9) == (1,)
    assert thread_rows.of_installation(tx, 11) == ()


def test_only_those_that_were_taken_away_are_removed(tx: Transaction) -> None:
    also(tx, 2)
    also(tx, 3)
    thread_rows.mark_removed(tx, [2, 3, 99])
    assert states(tx) == {1: "active", 2: "removed", 3: "removed"}
    thread_rows.mark_removed(tx, [])
    assert states(tx)[1] == "active"


def test_with_an_installation_come_back_only_those_that_were_suspended_with_it(
    tx: Transaction,
) -> None:
    also(tx, 2, state="archived")
    also(tx, 3, state="removed")
    also(tx, 4, installation_id=10)
    also(tx, 5, state="suspended", installation_id=10)
    thread_rows.mark_installation(tx, 9, "active")
    assert states(tx) == {1: "active", 2: "archived", 3: "removed", 4: "active", 5: "suspended"}
    thread_rows.mark_installation(tx, 9, "suspended")
    assert states(tx) == {
        1: "suspended",
        2: "suspended",
        3: "suspended",
        4: "active",
        5: "suspended",
    }
    thread_rows.mark_installation(tx, 9, "active")
    assert states(tx)[1] == "active"
    thread_rows.mark_installation(tx, 9, "removed")
    assert states(tx) == {1: "removed", 2: "removed", 3: "removed", 4: "active", 5: "suspended"}


# ---- how far was read


def test_a_position_is_where_a_list_was_read_to_last(either: Transaction) -> None:
    assert cursors.position(either, "deliveries") is None
    cursors.advance(either, "deliveries", "5")
    cursors.advance(either, "comments:1", "x")
    cursors.advance(either, "deliveries", "7")
    assert cursors.position(either, "deliveries") == "7"
    assert cursors.position(either, "comments:1") == "x"


def test_a_delivery_is_heard_when_it_was_taken_in_under_this_very_id(tx: Transaction) -> None:
    tx.execute(deliveries.insert().values(guid="g-1", event="issues", received_ms=0))
    assert [cursors.is_heard(tx, each) for each in ("g-1", "g-", "g-11")] == [True, False, False]


def test_a_restored_database_is_told_apart_for_thirty_days(tx: Transaction) -> None:
    assert not restored.is_recent(tx, 5)
    restored.note(tx, 1_000)
    assert restored.is_recent(tx, 1_000)
    assert restored.is_recent(tx, 1_000 + 30 * DAY - 1)
    assert not restored.is_recent(tx, 1_000 + 30 * DAY)
    restored.note(tx, 1_000 + 40 * DAY)
    assert restored.is_recent(tx, 1_000 + 69 * DAY)


# ---- what people have decided


def test_an_approval_counts_once_for_each_person_and_gate(either: Transaction) -> None:
    assert decisions.approve(either, "gate1", "c1", MONA, 20)
    assert not decisions.approve(either, "gate1", "c1", MONA, 30)
    assert decisions.approve(either, "gate1", "c1", ANNA, 20)
    assert decisions.approve(either, "gate1", "c1", Actor(id=9, login="zoe"), 10)
    assert decisions.approve(either, "gate2", "c1", MONA, 1)
    assert decisions.approvals_of(either, "gate1") == [
        Approval(9, "zoe"),
        Approval(2, "anna"),
        Approval(3, "mona"),
    ]
    assert decisions.approvals_of(either, "gate") == []


def test_trust_is_in_one_commit_of_one_thread(either: Transaction) -> None:
    for _ in range(2):  # who says it again changes nothing
        decisions.trust(either, KEY, "a" * 40, MONA, 5)
    assert decisions.is_trusted(either, KEY, "a" * 40)
    assert not decisions.is_trusted(either, KEY, "b" * 40)
    assert not decisions.is_trusted(either, "1:8", "a" * 40)
