"""One bot for the tests of a file, each of which talks in a thread of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from claude_pool_gh.storage import Database, migrations
from tests.conversation.simulated.kit import Clock, Desk
from tests.conversation.simulated.kit import desk as opened
from tests.conversation.simulated.listener import HOUR, Listener


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with opened(tmp_path_factory.mktemp("desk")) as found:
        yield found


@pytest.fixture
def here(desk: Desk) -> Iterator[Listener]:
    """Nothing that an earlier test has said is of the last hour."""
    database = Database.temporary()
    migrations.upgrade(database.engine)
    listener = Listener(desk, database, Clock())
    listener.pass_by(3 * HOUR)
    yield listener
    desk.github.faults.clear()
    database.close()
