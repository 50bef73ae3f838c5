from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import Bot
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import World, world
from tests.patience import PATIENCE


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    """The real command, since starting and stopping is the point."""
    async with world(tmp_path, bot_type=Bot) as made:
        yield made


async def test_a_server_told_to_stop_ends_well_and_the_next_one_goes_on(shop: World) -> None:
    shop.model.script = Reviewer(stage.PLANTED[1:2], pace=1.0)
    await shop.say("/pool review")
    await shop.github.until(lambda: shop.model.requests)
    assert shop.bot.process is not None
    tree = psutil.Process(shop.bot.process.pid).children(recursive=True)
    assert tree
    async with asyncio.timeout(PATIENCE):
        assert await shop.bot.stop() == 0, "\n".join(shop.bot.log)
    _, alive = await asyncio.to_thread(psutil.wait_procs, tree, PATIENCE)
    assert alive == []

    shop.model.script = Reviewer(stage.PLANTED[1:2])
    await shop.bot.start()
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    assert len(shop.own_comments()) == 1
    assert len(shop.reviews) == 1
    assert shop.ledger >= shop.model.bill.total
