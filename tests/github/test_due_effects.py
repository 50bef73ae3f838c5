"""Whose turn it is to be written, who writes it, and what each outcome leaves in its row."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.marks import marker
from claude_pool_gh.github.effects.reaction import Reaction
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.tables import effects, leases, repositories
from claude_pool_gh.storage import Transaction, owners
from claude_pool_gh.terms.ids import CommentRef, Repository
from tests.github.known import SHOP, also

COMMENT = Comment(number=7, body="b")
REPLY = Reply(number=7, body="b")
REACTION = Reaction(comment=CommentRef(id=5), content="eyes")


def stored(tx: Transaction, key: str = "k") -> Any:
    return tx.execute(effects.select().where(effects.c.key == key)).one()


def change(tx: Transaction, key: str = "k", **values: Any) -> None:
    tx.execute(effects.update().where(effects.c.key == key).values(**values))


def want(
    tx: Transaction, key: str = "k", effect: Effect = COMMENT, now: int = 0, at: Repository = SHOP
) -> None:
    rows.want(tx, key, at, effect, now)


def due(tx: Transaction, now: int = 2**40) -> EffectRow:
    found = rows.next_due(tx, 9, now)
    assert isinstance(found, EffectRow)
    return found


# ---- whose turn it is


def test_the_most_urgent_goes_first_then_what_waits_longest_then_by_key(
    either: Transaction,
) -> None:
    want(either, "labels", Labels(number=7, names=("bug",)), 1)
    want(either, "b", REPLY, 3)
    want(either, "a", REPLY, 3)
    want(either, "early", REPLY, 2)
    want(either, "reaction", REACTION, 9)
    seen = []
    for _ in range(5):
        row = due(either)
        seen.append(row.key)
        rows.written(either, row, 1, 10)
    assert seen == ["reaction", "early", "a", "b", "labels"]
    assert rows.next_due(either, 9, 2**40) is None


def test_what_fails_again_and_again_waits_for_what_does_not(either: Transaction) -> None:
    """Three of them that fail slowly would be all that is ever written."""
    for key in ("a", "b", "c"):
        want(either, key, REACTION)
        change(either, key, tries=6, due_ms=5)
    want(either, "labels", Labels(number=7, names=("bug",)), 9)
    assert due(either).key == "labels"
    rows.written(either, due(either), 1, 10)
    change(either, "b", tries=5)
    assert due(either).key == "b", "what has just begun to fail is as urgent as before"


def test_what_is_due_later_waits_and_is_what_is_slept_for(either: Transaction) -> None:
    assert rows.earliest_due(either) is None
    want(either, "later", now=500)
    want(either, "latest", now=900)
    assert rows.next_due(either, 9, 499) is None
    assert rows.installations_due(either, 499) == []
    assert rows.earliest_due(either) == 500
    assert rows.installations_due(either, 500) == [9]
    assert due(either, 500).key == "later"


@pytest.mark.parametrize("state", ["archived", "suspended", "removed"])
def test_what_cannot_be_reached_holds_nothing_up_and_comes_with_its_repository(
    tx: Transaction, state: str
) -> None:
    other = also(tx, 2, state=state)
    want(tx, "there", REACTION, at=other)
    want(tx, "here", now=5)
    assert rows.earliest_due(tx) == 5
    assert due(tx).key == "here"
    rows.written(tx, due(tx), 1, 1)
    assert (rows.next_due(tx, 9, 2**40), rows.installations_due(tx, 2**40)) == (None, [])
    tx.execute(repositories.update().where(repositories.c.id == 2).values(state="active"))
    assert due(tx).key == "there"


def test_each_installation_has_a_turn_of_its_own(tx: Transaction) -> None:
    want(tx, "a")
    want(tx, "b")
    want(tx, "c", at=also(tx, 2, installation_id=10))
    assert sorted(rows.installations_due(tx, 0)) == [9, 10]
    other = rows.next_due(tx, 10, 0)
    assert isinstance(other, EffectRow)
    assert (other.key, due(tx).key) == ("c", "a")


def test_a_repository_is_reached_under_the_names_that_it_has_by_then(tx: Transaction) -> None:
    also(tx, 2)
    want(tx)
    moved = {"owner": "new", "name": "store", "installation_id": 44}
    tx.execute(repositories.update().where(repositories.c.id == 1).values(**moved))
    assert due(tx).repository == Repository(id=1, **moved)


def test_all_that_is_known_of_a_row_comes_with_it(tx: Transaction) -> None:
    rows.want(tx, "k", SHOP, COMMENT, 0, chain_id="c1")
    row = due(tx)
    assert (row.first, row.attempted, row.version, row.chain_id) == (True, False, 1, "c1")
    want(tx, "other", now=1)
    rows.attempt(tx, row)
    assert (stored(tx).attempted, stored(tx, "other").attempted) == (True, False)
    change(tx, remote_id=70, tries=4, note="n", error="e", written_version=1, wanted_version=3)
    row = due(tx)
    assert (row.first, row.attempted, row.version, row.error) == (False, True, 3, "e")
    making = row.making
    assert (making.key, making.repository, making.marker) == ("k", SHOP, marker("k"))
    assert (making.attempted, making.remote_id, making.tries, making.note) == (True, 70, 4, "n")


# ---- what an outcome leaves


def test_what_is_written_has_no_error_no_tries_and_no_note(either: Transaction) -> None:
    want(either)
    change(either, tries=4, error="e", note="n", attempted=True)
    rows.written(either, due(either), 70, 8)
    found = stored(either)
    assert (found.state, found.written_version, found.remote_id) == ("written", 1, 70)
    assert (found.tries, found.error, found.note, found.changed_ms) == (0, None, None, 8)


def test_a_try_that_failed_is_counted_with_its_reason(tx: Transaction) -> None:
    want(tx)
    rows.postpone(tx, due(tx), 30, "x" * 2_000)
    rows.postpone(tx, due(tx), 40, "later")
    assert (stored(tx).due_ms, stored(tx).tries, stored(tx).error) == (40, 2, "later")
    rows.postpone(tx, due(tx), 40, "x" * 2_000)
    assert stored(tx).error == "x" * 1_000


def test_what_github_is_still_at_is_asked_for_by_its_note_and_is_no_error(tx: Transaction) -> None:
    want(tx)
    change(tx, error="GitHub did not answer")
    rows.unfinished(tx, due(tx), "n" * 300, 30)
    found = stored(tx)
    assert (found.due_ms, found.tries, found.error, found.note) == (30, 1, None, "n" * 200)
    assert found.state == "wanted"


def test_a_limit_puts_off_what_waits_in_its_installation_and_nothing_else(tx: Transaction) -> None:
    want(tx, "soon", now=5)
    want(tx, "later", now=500)
    want(tx, "elsewhere", at=also(tx, 2, installation_id=10))
    want(tx, "done", now=1)
    change(tx, "done", state="written")
    rows.postpone_all(tx, 9, 100)
    moments = {key: stored(tx, key).due_ms for key in ("soon", "later", "elsewhere", "done")}
    assert moments == {"soon": 100, "later": 500, "elsewhere": 0, "done": 1}


def test_what_a_person_deleted_is_gone_with_a_reason(tx: Transaction) -> None:
    want(tx)
    rows.gone(tx, due(tx), "d" * 2_000)
    assert (stored(tx).state, stored(tx).error) == ("gone", "d" * 1_000)


def test_a_refusal_is_of_one_version_of_one_effect(either: Transaction) -> None:
    want(either)
    want(either, "other", now=1)
    change(either, tries=3)
    first = due(either)
    want(either, effect=Comment(number=7, body="newer"))
    assert not rows.refused(either, first, "no")
    assert (stored(either).state, stored(either).tries, stored(either).error) == ("wanted", 0, "no")
    change(either, tries=3)
    assert rows.refused(either, due(either), "r" * 2_000)
    found = stored(either)
    assert (found.state, found.tries, found.error) == ("refused", 3, "r" * 1_000)
    other = stored(either, "other")
    assert (other.state, other.error) == ("wanted", None)


def test_only_a_comment_of_ours_is_what_a_deleted_comment_can_be(tx: Transaction) -> None:
    """A check, a review and a reaction have numbers of their own, which may be the same."""
    for key, effect in (("k", COMMENT), ("other", COMMENT), ("reaction", REACTION)):
        want(tx, key, effect)
        change(tx, key, state="written", remote_id=71 if key == "other" else 70)
    rows.comment_deleted(tx, 70)
    states = {key: stored(tx, key).state for key in ("k", "other", "reaction")}
    assert states == {"k": "gone", "other": "written", "reaction": "written"}


def test_only_in_the_repositories_that_are_out_of_reach_something_is_given_up(
    tx: Transaction,
) -> None:
    want(tx, "there", REPLY, at=also(tx, 2))
    want(tx, "here", REPLY)
    want(tx, "done", REPLY, at=also(tx, 3))
    change(tx, "done", state="written")
    rows.give_up(tx, [2, 3], "out of reach")
    states = {key: (stored(tx, key).state, stored(tx, key).error) for key in ("there", "here")}
    assert states == {"there": ("refused", "out of reach"), "here": ("wanted", None)}
    assert stored(tx, "done").state == "written"


# ---- who writes


def lease(tx: Transaction, owner: str = "me", now: int = 0) -> bool:
    return rows.hold(tx, "writer:9", owner, now, 1_000)


def held(tx: Transaction, name: str = "writer:9") -> tuple[str, int]:
    row = tx.execute(leases.select().where(leases.c.name == name)).one()
    return row.owner, row.expires_ms


def test_a_lease_is_kept_without_a_write_until_half_of_it_is_over(either: Transaction) -> None:
    assert lease(either)
    assert lease(either, now=499)
    assert held(either) == ("me", 1_000)
    assert rows.hold(either, "writer:10", "other", 0)
    assert lease(either, now=500)
    assert held(either) == ("me", 1_500)
    assert held(either, "writer:10") == ("other", 30_000), (
        "another's is for half a minute, and its own"
    )


def test_a_lease_of_another_is_taken_when_it_is_over_and_not_before(either: Transaction) -> None:
    assert lease(either, "elsewhere@0/1/2")
    assert not lease(either, now=999)
    assert held(either) == ("elsewhere@0/1/2", 1_000)
    assert lease(either, now=1_000)
    assert held(either) == ("me", 2_000)


def test_a_lease_of_a_process_that_is_gone_is_taken_at_once(either: Transaction) -> None:
    assert lease(either, owners.GONE)
    assert lease(either, now=1)
    assert held(either) == ("me", 1_001)
