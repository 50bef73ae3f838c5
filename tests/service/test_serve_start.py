"""What a server says that cannot open its database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from claude_pool_gh.service.server.serve import StartError, opened


@asynccontextmanager
async def parts(begin: Callable[[], None]) -> AsyncIterator[Any]:
    """The parts of a server that begin so."""
    begin()
    yield None


def without_room(file: Path) -> None:
    """Write to a database that may not grow."""
    with sa.create_engine(f"sqlite:///{file}").begin() as tx:
        tx.exec_driver_sql("PRAGMA max_page_count = 1")
        tx.exec_driver_sql("CREATE TABLE more (a)")


def unreachable(address: str) -> None:
    """Reach for a database in the words of a driver that tells its address."""
    raise sa.exc.OperationalError("", {}, ConnectionError(f"no answer from {address}"))


async def test_a_full_disk_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="database or disk is full; free some space") as refused:
        async with opened(parts(partial(without_room, tmp_path / "a.sqlite"))):
            pass
    assert "cannot be opened" in str(refused.value)


async def test_an_address_with_its_password_is_not_told() -> None:
    with pytest.raises(StartError) as refused:
        async with opened(parts(partial(unreachable, "postgresql://pool:hunter2@db"))):
            pass
    assert str(refused.value) == "the database cannot be opened (ConnectionError)"
