"""The parts of a server when they are put together, before anything comes in."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from claude_pool_gh.github.effects import rows
from claude_pool_gh.service.server.runtime import open_runtime
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Database, migrations


async def test_the_start_waits_for_no_process_that_held_the_file_before(tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    settings = Settings(
        state_dir=tmp_path,
        github_api_url=nowhere,
        anthropic_base_url=nowhere,
        anthropic_api_key=SecretStr("key"),
    )
    database, now = Database.open(settings.database), int(time.time() * 1000)
    migrations.upgrade(database.engine)
    hold = partial(rows.hold, name="writer:1", now_ms=now)
    before = partial(hold, owner="host@0000.1/1/7")
    assert await database.transact(before)
    assert not await database.transact(partial(hold, owner="other@0000.1/1/7")), "the control"
    database.close()
    async with open_runtime(settings, runs_in="action", job_token="x") as runtime:
        assert await runtime.database.transact(partial(hold, owner="other@0000.1/1/7"))
