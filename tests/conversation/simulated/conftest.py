"""One bot for the tests of a file, each of which talks in a thread of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conversation.simulated.kit import Desk
from tests.conversation.simulated.kit import desk as opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with opened(tmp_path_factory.mktemp("desk")) as found:
        yield found
