"""A pool's databases, real and empty: SQLite, and PostgreSQL from a wheel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.storage import Database, migrations
from tests.pool.puppet import OpenPool


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def open_pool(request: pytest.FixtureRequest, tmp_path: Path) -> OpenPool:
    """Opens pools on one store; each test runs on both databases, the second time where there is time for it."""
    store = None if request.param == "sqlite" else request.getfixturevalue("postgres")()
    return OpenPool(store, tmp_path / "state")
