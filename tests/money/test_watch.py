"""The watch sees a cap that is passed for one moment only."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.pool.store.tables import reservations
from claude_pool_gh.storage import Database, Transaction, migrations
from tests.money import watch


@pytest.mark.parametrize(("raised", "passed"), [(60, []), (61, [("pool", 101, 100)])])
async def test_a_moment_above_the_cap_is_noted(
    tmp_path: Path, raised: int, passed: list[tuple[object, ...]]
) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(database.engine)

    def spend(tx: Transaction) -> None:
        tx.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        watch.begin(tx, 100)
        for name, amount in (("a", 40), ("b", 10)):
            row = {
                "id": name,
                "level": "chain",
                "chain_id": name,
                "reserved": amount,
                "upper_bound": False,
            }
            tx.execute(reservations.insert().values(created_ms=1, **row))
        grown = reservations.update().where(reservations.c.id == "b")
        tx.execute(grown.values(reserved=raised))
        tx.execute(grown.values(settled=1))
        found = [tuple(row) for row in tx.exec_driver_sql("SELECT * FROM passed")]
        assert found == passed
        tx.execute(reservations.delete())

    await database.transact(spend)
    database.close()
