"""A server's clock that is set back by an hour: nobody waits an hour for what was to happen in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.github.effects import rows
from claude_pool_gh.github.effects.comment import Comment
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.tables import repositories
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository

REPOSITORY = Repository(id=1, owner="octo", name="shop", installation_id=9)
HOUR, MINUTE = 3_600_000, 60_000
NOW = 100 * HOUR
ELSEWHERE = "worker@another.machine/1/1"
HERE = "server@another.machine/2/2"
"""Both of machines whose processes nobody here can see."""


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    with database.engine.begin() as tx:
        known = {"id": 1, "owner": "octo", "name": "shop", "installation_id": 9, "state": "active"}
        tx.execute(repositories.insert().values(**known))
        yield tx
    database.close()


def test_a_lease_from_before_is_over_and_one_of_a_clock_that_differs_is_not(
    tx: Transaction,
) -> None:
    assert rows.hold(tx, "writer:9", ELSEWHERE, NOW)
    assert not rows.hold(tx, "writer:9", HERE, NOW)
    assert not rows.hold(tx, "writer:9", HERE, NOW - MINUTE), "its clock is a minute ahead of ours"
    assert rows.hold(tx, "writer:9", HERE, NOW - HOUR)
    assert not rows.hold(tx, "writer:9", ELSEWHERE, NOW - HOUR + 1)


def test_its_own_lease_is_renewed_so_that_others_believe_it(tx: Transaction) -> None:
    assert rows.hold(tx, "writer:9", ELSEWHERE, NOW)
    assert rows.hold(tx, "writer:9", ELSEWHERE, NOW - HOUR)
    assert not rows.hold(tx, "writer:9", HERE, NOW - HOUR)


def test_what_was_put_off_before_is_written_now(tx: Transaction) -> None:
    rows.want(tx, "c", REPOSITORY, Comment(number=7, body="one"), NOW)
    row = rows.next_due(tx, 9, NOW)
    assert isinstance(row, EffectRow)
    rows.postpone(tx, row, NOW + MINUTE, "GitHub did not answer")
    assert rows.next_due(tx, 9, NOW) is None
    assert rows.next_due(tx, 9, NOW - HOUR + MINUTE) is None, "an hour is what GitHub may ask for"
    assert rows.installations_due(tx, NOW - HOUR) == [9]
    assert rows.next_due(tx, 9, NOW - HOUR) is not None
    assert rows.next_due(tx, 9, NOW + HOUR) is not None, "and ahead"
