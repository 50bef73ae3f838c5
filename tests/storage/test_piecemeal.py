"""Kinds of rows that are deleted piece by piece, each for itself."""

from __future__ import annotations

import sqlite3

import pytest

from claude_pool_gh.storage.piecemeal import Kind, Step, delete_all


async def test_a_kind_that_cannot_be_deleted_keeps_no_other() -> None:
    left = [2, 1]

    def broken(_tx: object) -> int:
        raise ValueError("a row that nobody can read")

    async def act(step: Step) -> int:
        return step(None)  # type: ignore[arg-type]

    kinds = [Kind("odd", broken), Kind("old", lambda _tx: left.pop() if left else 0)]
    with pytest.raises(ValueError, match="nobody can read"):
        await delete_all(act, kinds, 0)
    assert left == []


async def test_a_database_that_is_away_is_not_asked_for_each_kind() -> None:
    asked: list[Step] = []
    away = sqlite3.OperationalError("locked")
    away.sqlite_errorcode = sqlite3.SQLITE_BUSY

    async def act(step: Step) -> int:
        asked.append(step)
        raise away

    with pytest.raises(sqlite3.OperationalError):
        await delete_all(act, [Kind(name, lambda _tx: 0) for name in "ab"], 0)
    assert len(asked) == 1
