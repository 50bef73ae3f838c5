"""Comments that come while a job serves their thread: one that cannot be read costs nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa

from claude_pool_gh.action import listening
from claude_pool_gh.github.tables import commands
from claude_pool_gh.service.house import House
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Repository, Thread

THREAD = Thread(repository=Repository(id=1, owner="o", name="n"), number=7)
USER = {"id": 9, "login": "ann", "type": "User"}


async def test_a_comment_that_cannot_be_read_costs_no_other_command(tmp_path: Path) -> None:
    comments: list[dict[str, Any]] = [
        {"id": 1, "body": "/pool help \ud83d", "user": USER},
        {"id": "x", "body": "/pool help", "user": USER},
        {"body": "/pool help", "user": USER},
        {"id": 3, "body": "/pool help", "user": {"id": "?"}},
        {"id": 2, "body": "/pool status", "user": USER},
    ]

    async def pages(*_: object, **__: object) -> AsyncIterator[Any]:
        for each in comments:
            yield each

    database = Database.open(f"sqlite:///{tmp_path}/p.sqlite")
    migrations.upgrade(database.engine)
    house = SimpleNamespace(
        database=database,
        desk=SimpleNamespace(forge=SimpleNamespace(pages=pages)),
        clock=SimpleNamespace(now_ms=lambda: 1),
    )
    await listening._read(cast(House, house), THREAD, datetime.now(UTC))
    lines = await database.read(lambda tx: tx.execute(sa.select(commands.c.line)).scalars().all())
    database.close()
    assert "/pool status" in lines
