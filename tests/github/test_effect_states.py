"""What an effect's table says is what its rows do, whatever comes between a request and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.github.effects import lookups, rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.reply import Reply
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.effects.states import EffectState
from claude_pool_gh.github.tables import effects, repositories
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository

REPOSITORY = Repository(id=1, owner="octo", name="shop", installation_id=9)


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        known = {"id": 1, "owner": "octo", "name": "shop", "installation_id": 9, "state": "active"}
        tx.execute(repositories.insert().values(**known))
        yield tx
    database.close()


def want(tx: Transaction, body: str) -> EffectRow:
    rows.want(tx, "comment:1", REPOSITORY, Comment(number=7, body=body), 0)
    due = rows.next_due(tx, 9, 1)
    assert isinstance(due, EffectRow)
    return due


def state(tx: Transaction, key: str = "comment:1") -> EffectState:
    fate = lookups.fate(tx, key)
    assert fate is not None
    return fate.state


def test_what_is_written_stands_until_something_else_is_wanted(tx: Transaction) -> None:
    rows.written(tx, want(tx, "one"), 5, 0)
    assert state(tx) is EffectState.written
    want(tx, "two")
    assert state(tx) is EffectState.wanted


def test_what_was_wanted_meanwhile_stays_due(tx: Transaction) -> None:
    first = want(tx, "one")
    want(tx, "two")
    rows.written(tx, first, 5, 0)
    assert state(tx) is EffectState.wanted
    assert not rows.refused(tx, first, "no")
    assert state(tx) is EffectState.wanted


def test_a_comment_that_a_person_deletes_while_it_is_edited_stays_deleted(tx: Transaction) -> None:
    rows.written(tx, want(tx, "one"), 5, 0)
    second = want(tx, "two")
    rows.comment_deleted(tx, 5)
    rows.written(tx, second, 5, 0)
    assert state(tx) is EffectState.gone
    assert not rows.refused(tx, second, "no")
    rows.want(tx, "comment:1", REPOSITORY, Comment(number=7, body="three"), 0)
    assert state(tx) is EffectState.gone
    assert rows.next_due(tx, 9, 1) is None


def test_what_was_given_up_while_its_request_was_on_its_way_stands(tx: Transaction) -> None:
    rows.want(tx, "reply:1", REPOSITORY, Reply(number=7, body="done"), 0)
    sent = rows.next_due(tx, 9, 1)
    assert isinstance(sent, EffectRow)
    rows.give_up(tx, [1], "the repository is out of reach")
    assert state(tx, "reply:1") is EffectState.refused
    rows.written(tx, sent, 5, 0)
    assert state(tx, "reply:1") is EffectState.written


def test_only_what_was_to_happen_once_is_given_up(tx: Transaction) -> None:
    rows.want(tx, "reply:1", REPOSITORY, Reply(number=7, body="done"), 0)
    want(tx, "one")
    rows.give_up(tx, [1], "the repository is out of reach")
    found = dict(tx.execute(sa.select(effects.c.key, effects.c.state)).all())
    assert found == {"reply:1": "refused", "comment:1": "wanted"}
