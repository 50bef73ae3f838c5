"""What a server says that cannot open its database."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.service.server.serve import StartError, opened


@asynccontextmanager
async def without_room(file: Path) -> AsyncIterator[Runtime]:
    """The parts of a server whose database may not grow."""
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as tx:
        tx.exec_driver_sql("PRAGMA max_page_count = 1")
        tx.exec_driver_sql("CREATE TABLE more (a)")
    pytest.fail("it had room")
    yield


@asynccontextmanager
async def not_there(address: str) -> AsyncIterator[Runtime]:
    """The parts of a server whose database cannot be reached, in the words of a driver that tells its address."""
    raise sa.exc.OperationalError("", {}, ConnectionError(f"no answer from {address}"))
    yield


async def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.sqlite").close()
    with pytest.raises(StartError, match="database or disk is full; free some space") as refused:
        async with opened(without_room(tmp_path / "a.sqlite")):
            pass
    assert "cannot be opened" in str(refused.value)


async def test_an_address_with_its_password_is_not_told() -> None:
    with pytest.raises(StartError) as refused:
        async with opened(not_there("postgresql://pool:hunter2@db")):
            pass
    assert str(refused.value) == "the database cannot be opened (ConnectionError)"
