"""What is answered about effects: of those that were asked about, and of no other whose key looks like theirs."""

from __future__ import annotations

from typing import Any

import pytest

from claude_pool_gh.github.backlog import Backlog, backlog
from claude_pool_gh.github.check_key import CheckKey
from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.check_run import CheckRun
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.effect import Effect
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.lookups import EffectStatus
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.tables import commands, effects
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.ids import Repository
from tests.github.known import SHOP, also

HEAD, OTHER = "a" * 40, "b" * 40


def want(
    tx: Transaction, key: str, effect: Effect, now: int = 0, at: Repository = SHOP, **changed: Any
) -> None:
    rows.want(tx, key, at, effect, now)
    if changed:
        tx.execute(effects.update().where(effects.c.key == key).values(**changed))


def comment(body: str = "b") -> Comment:
    return Comment(number=7, body=body)


def check(title: str, head: str = HEAD) -> CheckRun:
    return CheckRun(name="c", head=head, status="queued", title=title, summary="s")


def test_what_became_of_an_effect_is_told_with_its_reason(tx: Transaction) -> None:
    assert lookups.fate(tx, "k") is None
    assert lookups.wanted_of(tx, "k") is None
    want(tx, "another", comment("another"), state="gone")
    want(tx, "k", comment())
    assert lookups.fate(tx, "k") == EffectStatus(EffectState.wanted, None, "")
    want(tx, "k", comment("two"), state="refused", remote_id=70, error="no")
    assert lookups.fate(tx, "k") == EffectStatus(EffectState.refused, 70, "no")
    assert lookups.wanted_of(tx, "k") == comment("two")


def test_only_what_can_be_written_is_waited_for(tx: Transaction) -> None:
    want(tx, "a", comment())
    want(tx, "later", comment(), now=2**40)
    want(tx, "there", comment(), at=also(tx, 2, state="suspended"))
    for state in ("written", "refused", "gone"):
        want(tx, state, comment(), state=state)
    assert lookups.unwritten(tx) == 2


def test_what_is_below_a_key_is_what_begins_so_letter_by_letter(either: Transaction) -> None:
    """In a pattern of SQL `_` is any letter, and `%` any text."""
    want(either, "a_b:1", comment("first"), now=1)
    want(either, "a_b:2", comment("last"), now=9)
    want(either, "axb:1", comment("another"), now=5)
    want(either, "a_b:3", Reply(number=7, body="another kind"), now=5)
    assert lookups.wanted_below(either, "a_b:", "comment") == [comment("last"), comment("first")]
    assert lookups.wanted_below(either, "%", "comment") == []


def test_the_checks_at_a_commit_are_those_of_this_verb_and_repository(either: Transaction) -> None:
    def key(number: int, verb: str = "review", head: str = HEAD, repository: int = 1) -> str:
        return CheckKey(repository, number, verb, head).format()

    want(either, key(7), check("seven"))
    want(either, key(8), check("eight"))
    want(either, key(7, verb="pre_review"), check("another verb"))
    want(either, key(7, head=OTHER), check("another commit", OTHER))
    want(either, key(7, repository=11), check("another repository"))
    want(either, f"check:1:7:x:review:{HEAD}", check("no key of ours"))
    want(either, key(9), comment("no check"))
    assert lookups.checks_at(either, 1, "review", HEAD) == {7: check("seven"), 8: check("eight")}
    assert lookups.checks_at(either, 1, "_review", HEAD) == {}


def test_the_newest_that_stands_is_asked_of_what_was_written(either: Transaction) -> None:
    assert lookups.newest_written(either, "c1:") is None
    for key, number, state in (
        ("c1:a", 70, "written"),
        ("c1:b", 72, "written"),
        ("c1:c", 90, "gone"),
        ("c11:a", 99, "written"),
    ):
        want(either, key, comment(key), state=state, remote_id=number)
    assert lookups.newest_written(either, "c1:") == 72


def test_everything_of_some_kinds_comes_by_kind_and_key(tx: Transaction) -> None:
    labels = Labels(number=7, names=("bug",))
    want(tx, "a", labels)
    want(tx, "c", comment("c"), state="gone")
    want(tx, "b", comment("b"), now=9)
    want(tx, "x", check("x"))
    assert lookups.everything_of(tx, ["labels", "comment"]) == [comment("b"), comment("c"), labels]
    assert lookups.everything_of(tx, []) == []


def test_a_version_stands_when_it_or_a_later_one_was_taken(either: Transaction) -> None:
    want(either, "a", comment())
    want(either, "b", comment(), wanted_version=4, written_version=2)
    want(either, "reply", Reply(number=7, body="b"))
    want(either, "done", comment(), state="written")
    versions = lookups.versions_wanted(either, ["comment"])
    assert versions == {"a": 1, "b": 4}
    assert lookups.stand(either, {})
    for key, written, stands in (("a", 1, False), ("b", 3, False), ("b", 4, True)):
        own = effects.update().where(effects.c.key == key)
        either.execute(own.values(wanted_version=9, written_version=written))
        assert lookups.stand(either, versions) == stands, (key, written)


def test_nobody_waits_for_what_a_person_has_deleted_and_a_refusal_is_no_standing(
    tx: Transaction,
) -> None:
    """An agent of the Action begins when its tracking comment stands; of a refusal the gate hears."""
    want(tx, "gone", comment(), state="gone")
    want(tx, "refused", comment(), state="refused")
    assert lookups.stand(tx, {"gone": 1, "never wanted": 1})
    assert not lookups.stand(tx, {"refused": 1})


def test_writes_are_counted_over_all_effects(tx: Transaction) -> None:
    assert lookups.writes(tx) == (0, 0)
    want(tx, "a", comment(), written_version=3)
    want(tx, "b", comment())
    assert lookups.writes(tx) == (2, 3)


# ---- what waits


def heard(tx: Transaction, key: str, at: int, state: str = "received") -> None:
    tx.execute(
        commands.insert().values(
            key=key,
            state=state,
            thread="1:7",
            actor_id=3,
            line="/pool help",
            request={},
            tries=0,
            due_ms=at,
            received_ms=at,
        )
    )


def test_where_nothing_waits_nothing_is_old(either: Transaction) -> None:
    heard(either, "done", 1, "handled")
    want(either, "done", comment(), state="written")
    assert backlog(either) == Backlog(0, None, 0, None, 0)


@pytest.mark.parametrize("unreachable", ["suspended", "removed", "archived"])
def test_the_oldest_that_waits_is_told_of_what_can_be_reached(
    tx: Transaction, unreachable: str
) -> None:
    heard(tx, "b", 60)
    heard(tx, "a", 50)
    heard(tx, "done", 5, "handled")
    want(tx, "x", comment(), now=40)
    want(tx, "y", comment(), now=30)
    want(tx, "there", comment(), now=1, at=also(tx, 2, state=unreachable))
    want(tx, "no", comment(), state="refused")
    want(tx, "gone", comment(), state="gone")
    assert backlog(tx) == Backlog(
        commands=2, oldest_command_ms=50, effects=2, oldest_effect_ms=30, refused=1
    )
