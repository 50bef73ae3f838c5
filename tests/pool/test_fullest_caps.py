"""Which scopes have used most of a cap."""

from __future__ import annotations

import pytest

from claude_pool_gh.pool.model.caps import Cap, Window
from claude_pool_gh.pool.store import chains, retention
from claude_pool_gh.pool.store.fullest_caps import FullScope, fullest
from claude_pool_gh.pool.store.tables import chains as rows
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import DAY, NOW, account, caps, plan

MONTH = Cap("repository", Window.month, 0)


def make(tx: Transaction, name: str, repository: str, limit: int | None, now_ms: int) -> None:
    own = caps(repository_month=limit, user_day=None, thread=None)
    assert chains.create(tx, name, plan(), account(repository=repository), own, now_ms)


def test_a_small_cap_that_is_full_comes_before_dearer_scopes(database: Database) -> None:
    with database.engine.begin() as tx:
        for number in range(20):
            make(tx, f"dear{number}", f"dear{number}", 300, NOW)
        make(tx, "small", "small", 60, NOW)
        tx.exec_driver_sql("UPDATE reservations SET reserved = 10 WHERE chain_id <> 'small'")
        tx.exec_driver_sql("UPDATE reservations SET reserved = 5 WHERE chain_id = 'small'")
        dearest = fullest(tx, MONTH, NOW, 20)
    assert len(dearest) == 20
    assert dearest[0].key == "small"
    assert dearest[0].ratio == pytest.approx(5 / 60)


def test_the_fullest_scopes_come_first_each_beside_its_own_newest_limit(database: Database) -> None:
    with database.engine.begin() as tx:
        make(tx, "a1", "a", 1_000, NOW)
        make(tx, "a2", "a", 120, NOW + 1)
        make(tx, "b1", "b", 300, NOW)
        make(tx, "free", "c", None, NOW)
        make(tx, "old", "d", 30, NOW - 40 * DAY)
        assert fullest(tx, MONTH, NOW, 20) == [FullScope("a", 0.5), FullScope("b", 0.1)]
        assert [each.key for each in fullest(tx, MONTH, NOW, 1)] == ["a"]
        assert fullest(tx, Cap("thread", Window.month, 0), NOW, 20) == []


def test_what_deleted_chains_have_cost_counts_as_long_as_one_says_the_limit(
    database: Database,
) -> None:
    with database.engine.begin() as tx:
        make(tx, "a1", "a", 120, NOW)
        tx.exec_driver_sql("UPDATE reservations SET settled = 30, settled_ms = created_ms")
        make(tx, "a2", "a", 120, NOW + 1)
        ended = {"state": "done", "ended_ms": NOW}
        tx.execute(rows.update().where(rows.c.id == "a1").values(**ended))
        assert retention.prune_shared(tx, chains.MAIN, NOW + 1) == 1
        (found,) = fullest(tx, MONTH, NOW, 20)
    assert found.key == "a"
    assert found.ratio == pytest.approx(0.5)
