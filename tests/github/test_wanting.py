"""What it changes to want an effect: nothing where it is the same, its turn, its version and its reason where not."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.tables import effects
from claude_pool_gh.storage import Transaction
from claude_pool_gh.storage.causes import acting_for
from tests.github.known import SHOP


def stored(tx: Transaction, key: str = "k") -> Any:
    return tx.execute(effects.select().where(effects.c.key == key)).one()


def want(tx: Transaction, effect: Effect, now: int = 0, **more: Any) -> None:
    rows.want(tx, "k", SHOP, effect, now, **more)


def due(tx: Transaction, now: int = 2**40) -> EffectRow:
    found = rows.next_due(tx, 9, now)
    assert isinstance(found, EffectRow)
    return found


Status = Literal["queued", "in_progress", "completed"]


def check(status: Status, **more: Any) -> CheckRun:
    end: dict[str, Any] = {"conclusion": "success"} if status == "completed" else {}
    return CheckRun(name="c", head="a" * 40, status=status, title="t", summary="s", **end, **more)


def test_the_same_again_is_no_version_and_no_work(either: Transaction) -> None:
    want(either, Comment(number=7, body="one"), 5)
    rows.written(either, due(either), 70, 6)
    before = stored(either)
    want(either, Comment(number=7, body="one"), 9)
    assert stored(either) == before
    want(either, Comment(number=7, body="two"), 9)
    after = stored(either)
    assert (after.wanted_version, after.written_version, after.state) == (2, 1, "wanted")
    assert (after.changed_ms, after.remote_id, after.wanted["body"]) == (9, 70, "two")


def test_what_is_long_is_compared_too(either: Transaction) -> None:
    """Long texts are stored in another form than short ones."""
    body = "é" * 5_000
    for _ in range(2):
        want(either, Comment(number=7, body=body))
    assert stored(either).wanted_version == 1
    want(either, Comment(number=7, body=f"{body}!"))
    assert stored(either).wanted_version == 2
    assert due(either).effect == Comment(number=7, body=f"{body}!")


def test_what_happens_once_stays_what_was_wanted_first(either: Transaction) -> None:
    want(either, Reply(number=7, body="one"), 5, chain_id="c1")
    want(either, Reply(number=7, body="two"), 9, chain_id="c2")
    found = stored(either)
    assert (found.wanted["body"], found.wanted_version) == ("one", 1)
    assert (found.chain_id, found.changed_ms) == ("c1", 5)


def test_several_are_wanted_in_one_statement(either: Transaction) -> None:
    rows.want_all(either, SHOP, {}, 0)
    some: dict[str, Effect] = {
        "a": Comment(number=7, body="one"),
        "b": Labels(number=7, names=("bug",)),
    }
    rows.want_all(either, SHOP, some, 3)
    rows.want_all(either, SHOP, some | {"a": Comment(number=7, body="two")}, 4)
    assert {each: stored(either, each).wanted_version for each in some} == {"a": 2, "b": 1}
    assert stored(either, "b").changed_ms == 3


def test_what_happens_once_is_not_among_several_and_nothing_of_them_is_stored(
    tx: Transaction,
) -> None:
    some: dict[str, Effect] = {
        "a": Comment(number=7, body="one"),
        "b": Reply(number=7, body="once"),
    }
    with pytest.raises(ValueError, match="b happens once: want it by itself"):
        rows.want_all(tx, SHOP, some, 0)
    assert lookups.writes(tx) == (0, 0)


def test_whoever_names_no_reason_or_chain_leaves_those_that_were_named(
    either: Transaction,
) -> None:
    with acting_for("chain:c1"):
        want(either, Comment(number=7, body="one"), chain_id="c1")
    want(either, Comment(number=7, body="two"))
    assert (stored(either).cause, stored(either).chain_id) == ("chain:c1", "c1")
    with acting_for("command:x"):
        want(either, Comment(number=7, body="three"), chain_id="c2")
    assert (stored(either).cause, stored(either).chain_id) == ("command:x", "c2")
    assert due(either).cause == "command:x"


def test_progress_waits_for_what_people_wait_for_and_a_result_does_not(either: Transaction) -> None:
    want(either, check("queued"))
    rows.written(either, due(either), 70, 1)
    shown: tuple[Status, ...] = ("queued", "in_progress")
    for status in shown:
        rows.want(either, "other", SHOP, check(status), 0)
    assert stored(either, "other").priority == CheckRun.priority, "nothing of it stands yet"
    want(either, check("in_progress"))
    assert stored(either).priority == rows.PROGRESS > CheckRun.priority
    rows.postpone(either, due(either), 2**41, "the other one's turn is over")
    rows.written(either, due(either), 70, 2)
    want(either, check("completed"))
    assert stored(either).priority == CheckRun.priority


def test_what_was_refused_begins_anew_with_what_is_wanted_next(either: Transaction) -> None:
    want(either, Comment(number=7, body="one"))
    for _ in range(3):
        rows.postpone(either, due(either), 0, "an error on our side; it is tried again")
    rows.refused(either, due(either), "an error on our side")
    want(either, Comment(number=7, body="two"))
    assert (stored(either).state, stored(either).tries) == ("wanted", 0)


def test_what_is_only_postponed_keeps_the_number_of_its_tries(either: Transaction) -> None:
    want(either, Comment(number=7, body="one"))
    rows.postpone(either, due(either), 0, "GitHub did not answer; it is tried again")
    want(either, Comment(number=7, body="two"))
    assert stored(either).tries == 1


@pytest.mark.parametrize(
    ("effect", "answered"),
    [
        (check("completed"), True),
        (check("in_progress"), False),
        (Comment(number=7, body="no check"), False),
        (None, False),
    ],
)
def test_a_press_is_answered_by_a_completed_check_alone(
    either: Transaction, effect: Effect | None, *, answered: bool
) -> None:
    rows.want(either, "other", SHOP, check("completed"), 0)
    if effect is not None:
        want(either, effect)
        rows.written(either, due(either), 70, 1)
    rows.press_answered(either, "k", SHOP, 1_700_000_000_000)
    found = lookups.wanted_of(either, "k")
    if not answered:
        assert found == effect
        return
    assert found == check("completed", answered_ms=1_700_000_000_000)
    assert stored(either).state == "wanted"
    assert stored(either).priority == CheckRun.priority
