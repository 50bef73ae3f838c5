"""What a job at its deadline says of an audit that the next job goes on with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_pool_gh.action.hand_over import NOTE, leave_note, with_note
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.markdown import COMMENT_LIMIT
from tests.conversation.test_progress import _comment, _made, _progress, _running, _setting
from tests.pool.make import NOW


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/a.sqlite")
    migrations.upgrade(database.engine)
    yield database
    database.close()


async def test_the_time_that_passes_does_not_take_the_note_away_again(database: Database) -> None:
    with database.engine.begin() as tx:
        _setting(tx)
        _made(tx, "now", NOW)
        _running(tx, "now")
        _progress().changed(tx, "now")
    ticked = asyncio.Event()

    async def show_time() -> None:
        while True:
            await database.transact(lambda tx: _progress().changed(tx, "now"))
            ticked.set()
            await asyncio.sleep(0.01)

    showing = asyncio.create_task(show_time())
    await ticked.wait()
    await leave_note(database, showing, NOW)
    await asyncio.sleep(0.1)
    with database.engine.begin() as tx:
        said = _comment(tx)
    assert said.endswith(NOTE)
    assert showing.done()


@pytest.mark.parametrize("length", [0, COMMENT_LIMIT - len(NOTE) - 2, COMMENT_LIMIT])
def test_a_comment_of_any_length_has_the_note_and_is_one_that_github_takes(length: int) -> None:
    said = with_note("~" * length)
    assert len(said) <= COMMENT_LIMIT
    assert NOTE in said
    assert ("~" in said) is bool(length)
