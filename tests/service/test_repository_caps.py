"""The caps of repositories that monitors see: read once a minute, and never what says that the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from claude_pool_gh.github import inbox
from claude_pool_gh.pool.store import chains
from claude_pool_gh.service.monitoring.repository_caps import RepositoryCaps
from claude_pool_gh.storage import Database, Transaction, migrations
from claude_pool_gh.terms.ids import Repository
from tests.patience import PATIENCE
from tests.pool.make import NOW, account, caps, plan

T = TypeVar("T")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path}/pool.sqlite")
    migrations.upgrade(opened.engine)
    with opened.engine.begin() as tx:
        inbox.remember_repository(
            tx, Repository(id=7, owner="octo", name="shop", installation_id=1)
        )
        spend(tx, "a")
    yield opened
    opened.close()


def spend(tx: Transaction, name: str) -> None:
    own = caps(repository_month=120, user_day=None, thread=None)
    assert chains.create(tx, name, plan(), account(repository="7"), own, NOW)


async def test_they_are_read_once_a_minute(database: Database) -> None:
    seconds = [0.0]
    shown = RepositoryCaps(database=database, now_ms=lambda: NOW, now=lambda: seconds[0])
    before = await shown.ratios()
    assert list(before) == ["octo/shop"]
    with database.engine.begin() as tx:
        spend(tx, "b")
    seconds[0] = 59
    assert await shown.ratios() == before
    seconds[0] = 60
    assert await shown.ratios() == {"octo/shop": pytest.approx(2 * before["octo/shop"])}


async def test_a_database_that_takes_too_long_for_it_costs_a_scrape_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_work: Callable[[Transaction], T]) -> T:
        await asyncio.sleep(10 * PATIENCE)
        raise AssertionError

    monkeypatch.setattr(database, "read", never)
    shown = RepositoryCaps(database=database, now_ms=lambda: NOW, read_seconds=0.05)
    assert await asyncio.wait_for(shown.ratios(), PATIENCE) == {}
