"""An upgrade waits for no worker and takes the tables from none: it is refused while any of them shows itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from claude_pool_gh.pool import earlier_workers
from claude_pool_gh.pool.model.errors import PoolError
from claude_pool_gh.pool.store import queue
from claude_pool_gh.storage import Database, migrations
from tests.patience import PATIENCE
from tests.pool.make import NOW
from tests.storage import old


@pytest.fixture
def older(postgres: Callable[[], str]) -> Iterator[Database]:
    database = Database.open(postgres())
    old.migrate(database, "0015")
    yield database
    database.close()


async def beating(database: Database) -> None:
    while True:
        await database.transact(partial(queue.beat, worker="host/7/1", now_ms=NOW))
        await asyncio.sleep(0.05)


async def test_tables_with_a_living_worker_of_an_earlier_version_are_left_alone(
    older: Database,
) -> None:
    living = asyncio.create_task(beating(older))
    try:
        await asyncio.sleep(0.2)
        with pytest.raises(PoolError, match="stop these first: host/7/1"):
            await earlier_workers.upgrade(older, PATIENCE)
    finally:
        living.cancel()
        with suppress(asyncio.CancelledError):
            await living
    assert migrations.current(older.engine) == "0015"


async def test_what_a_dead_worker_has_left_is_in_nobodys_way(older: Database) -> None:
    await older.transact(partial(queue.beat, worker="host/7/1", now_ms=NOW))
    await earlier_workers.upgrade(older, 0.6)
    assert migrations.current(older.engine) == migrations.newest()
    await earlier_workers.upgrade(older, PATIENCE)  # nothing to do: nobody is looked at


async def test_a_new_database_is_made_at_once(postgres: Callable[[], str]) -> None:
    database = Database.open(postgres())
    await earlier_workers.upgrade(database, PATIENCE)
    assert migrations.current(database.engine) == migrations.newest()
    database.close()
