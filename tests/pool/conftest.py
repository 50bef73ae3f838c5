"""A pool's database, real and empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.storage import Database, migrations


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/pool.db")
    migrations.upgrade(database.engine)
    yield database
    database.close()
