"""Commands as records: counted before the one that asks, told in their order, closed and put off."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github import command_rows, inbox
from claude_pool_gh.github.command_request import CommandRequest
from claude_pool_gh.github.command_rows import CommandRow, Rate
from claude_pool_gh.github.command_states import CommandState
from claude_pool_gh.github.tables import commands
from claude_pool_gh.storage import Transaction, owners
from claude_pool_gh.terms.ids import Actor, CommentRef, Repository, Thread
from tests.github.known import KEY, MONA, SHOP, THREAD

ANNA = Actor(id=2, login="anna")


def asked(
    comment: int, by: Actor = MONA, thread: Thread = THREAD, ordinal: int = 0
) -> CommandRequest:
    source = CommentRef(id=comment)
    line = f"/pool help {comment}"
    return CommandRequest(thread=thread, actor=by, source=source, line=line, ordinal=ordinal)


def store(tx: Transaction, request: CommandRequest, at: int, **changed: Any) -> CommandRequest:
    assert inbox.store(tx, request, at)
    if changed:
        tx.execute(commands.update().where(commands.c.key == request.key).values(**changed))
    return request


def rate(tx: Transaction, request: CommandRequest, since: int = 0) -> Rate:
    thread = f"{request.thread.repository.id}:{request.thread.number}"
    return command_rows.rate(tx, request, thread, since)


# ---- how many came before


def test_only_what_came_before_counts_and_of_one_moment_by_its_key(either: Transaction) -> None:
    """A flood takes nobody's turn who was there first."""
    store(either, asked(1), 10)
    store(either, asked(2), 20)
    mine = store(either, asked(3), 20)
    store(either, asked(4), 20)
    store(either, asked(5), 30)
    assert rate(either, mine) == Rate(heard=2, refused=0, in_thread=2)


def test_what_is_too_old_does_not_count(tx: Transaction) -> None:
    store(tx, asked(1), 10)
    store(tx, asked(2), 11)
    mine = store(tx, asked(3), 20)
    assert rate(tx, mine, since=10).heard == 1


def test_each_number_has_its_own_who_and_where(tx: Transaction) -> None:
    elsewhere = Thread(repository=SHOP, number=8)
    # Repository 11 has the number of this one at its beginning.
    another = Thread(
        repository=Repository(id=11, owner="octo", name="r", installation_id=9), number=7
    )
    store(tx, asked(1), 1)
    store(tx, asked(2, ANNA), 2)
    store(tx, asked(3, thread=elsewhere), 3)
    store(tx, asked(4, thread=another), 4)
    mine = store(tx, asked(5), 9)
    assert rate(tx, mine) == Rate(heard=2, refused=0, in_thread=2)


@pytest.mark.parametrize(
    ("answer", "heard", "refused"),
    [
        (None, 1, 0),
        ("chain", 1, 0),
        ("refused: cap", 0, 1),
        ("silence: no role", 0, 0),
        ("not refused", 1, 0),
    ],
)
def test_who_is_not_heard_or_refused_takes_nobodys_turn(
    either: Transaction, answer: str | None, heard: int, refused: int
) -> None:
    store(either, asked(1), 1, answer=answer)
    mine = store(either, asked(2), 2)
    assert rate(either, mine) == Rate(heard=heard, refused=refused, in_thread=heard)


# ---- one command, and several


def row(request: CommandRequest, **fields: Any) -> CommandRow:
    usual = {"state": CommandState.received, "answer": "", "chain_id": ""}
    return CommandRow(key=request.key, line=request.line, **usual | fields)


def test_a_command_is_told_with_what_became_of_it(tx: Transaction) -> None:
    request = store(tx, asked(1), 1)
    assert command_rows.get(tx, request.key) == row(request)
    assert command_rows.get(tx, "never heard of") is None
    assert command_rows.are_waiting(tx)
    command_rows.begin(tx, request.key, "c0ffee")
    command_rows.close(tx, request.key, "a" * 3_000)
    ended = {"state": CommandState.handled, "answer": "a" * 2_000, "chain_id": "c0ffee"}
    assert command_rows.get(tx, request.key) == row(request, **ended)
    assert not command_rows.are_waiting(tx)


def test_what_is_begun_closed_or_put_off_is_this_command_alone(tx: Transaction) -> None:
    one, two = store(tx, asked(1), 1), store(tx, asked(2), 1)
    command_rows.begin(tx, one.key, "c0ffee")
    command_rows.postpone(tx, one.key, 3, 50)
    command_rows.close(tx, one.key, "done")
    assert command_rows.get(tx, two.key) == row(two)
    assert (command_rows.tries(tx, one.key), command_rows.tries(tx, two.key)) == (3, 0)
    assert command_rows.claim(tx, 10, 5) == two


def test_several_come_in_the_order_in_which_they_were_heard(either: Transaction) -> None:
    late, early, same = (
        store(either, asked(number), at) for number, at in ((1, 30), (2, 10), (3, 30))
    )
    every = [row(early), row(late), row(same)]
    assert command_rows.several(either, None) == every
    assert command_rows.several(either, [same.key, early.key]) == [row(early), row(same)]
    assert command_rows.several(either, []) == []


def test_those_who_asked_for_a_chain_are_told_oldest_first(tx: Transaction) -> None:
    second = store(tx, asked(1), 20, chain_id="c1")
    first = store(tx, asked(2, ANNA), 10, chain_id="c1")
    store(tx, asked(3), 5, chain_id="c2")
    store(tx, asked(4, thread=Thread(repository=SHOP, number=8)), 5, chain_id="c1")
    assert command_rows.requests_of(tx, KEY, "c1") == [first, second]


# ---- taken by one


def test_who_takes_a_command_keeps_it_until_its_time_is_over(tx: Transaction) -> None:
    request = store(tx, asked(1), 10)
    assert command_rows.claim(tx, 9, 100) is None, "not due yet"
    assert command_rows.claim(tx, 10, 100) == request
    assert command_rows.claim(tx, 109, 100) is None
    assert command_rows.claim(tx, 110, 100) == request


def test_what_was_put_off_before_the_clock_was_set_back_is_due(tx: Transaction) -> None:
    request, month = store(tx, asked(1), 10), 30 * 86_400_000
    assert command_rows.claim(tx, month, 100) == request
    command_rows.postpone(tx, request.key, 1, month + 2_000)
    assert command_rows.claim(tx, month + 1_999, 100) is None
    assert command_rows.claim(tx, 20, 100) == request
    assert command_rows.claim(tx, 21, 100) is None, "taken by the clock of now"


@pytest.mark.parametrize(
    ("owner", "free"),
    [(owners.GONE, True), ("elsewhere@0/1/2", False), (None, False)],
)
def test_a_command_that_is_not_due_is_taken_from_a_process_that_is_gone_alone(
    tx: Transaction, owner: str | None, *, free: bool
) -> None:
    request = store(tx, asked(1), 10, owner=owner, due_ms=500)
    assert command_rows.claim(tx, 20, 100) == (request if free else None)


def test_what_is_handled_is_never_taken_again(tx: Transaction) -> None:
    request = store(tx, asked(1), 10, owner=owners.GONE)
    command_rows.close(tx, request.key, "done")
    assert command_rows.claim(tx, 10**9, 100) is None


def test_a_command_waits_for_those_above_it_in_its_own_comment_alone(tx: Transaction) -> None:
    above = store(tx, asked(1, ordinal=0), 10, due_ms=500)
    below = store(tx, asked(1, ordinal=1), 10)
    other = store(tx, asked(11, ordinal=1), 10)
    assert command_rows.claim(tx, 20, 100) == other
    assert command_rows.claim(tx, 20, 100) is None
    command_rows.close(tx, above.key, "done")
    assert command_rows.claim(tx, 20, 100) == below


def test_one_is_found_behind_very_many_that_came_in_the_same_moment(either: Transaction) -> None:
    for comment in range(100, 160):  # the second ones wait for the first, which are put off
        store(either, asked(comment, ordinal=0), 5, due_ms=500, owner=owners.own_id())
        store(either, asked(comment, ordinal=1), 5)
    last = store(either, asked(999), 5)
    assert command_rows.claim(either, 20, 100) == last
    assert command_rows.claim(either, 20, 100) is None
