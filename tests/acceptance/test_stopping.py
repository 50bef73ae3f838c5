from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import Bot
from claude_pool_gh.rehearsal.model import Answer, ModelRequest
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.rehearsal.skills import skill_of
from tests.acceptance.world import World, world
from tests.patience import PATIENCE


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    """The real command, since starting and stopping is the point."""
    async with world(tmp_path, bot_type=Bot) as made:
        yield made


@pytest.mark.rotating(2)
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


class Held:
    """A reviewer whose second step waits to be let go."""

    def __init__(self) -> None:
        self.reviewer = Reviewer(stage.PLANTED[1:2])
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: ModelRequest) -> Answer:
        if skill_of(request) == "verify-finding":
            self.asked.set()
            await self.go_on.wait()
        return self.reviewer(request)


async def test_a_server_told_to_stop_lets_its_agents_end_and_stores_what_comes_in(
    tmp_path: Path,
) -> None:
    async with world(
        tmp_path, bot_type=Bot, more={"CLAUDE_POOL_STOP_TIMEOUT": str(PATIENCE)}
    ) as shop:
        shop.model.script = held = Held()
        await shop.say("/pool review")
        await asyncio.wait_for(held.asked.wait(), PATIENCE)
        assert shop.bot.process is not None
        shop.bot.process.send_signal(signal.SIGTERM)
        await shop.until(lambda: any("action=stopping" in line for line in shop.bot.log))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{shop.bot.url}/readyz") as answer,
        ):
            assert (answer.status, await answer.text()) == (503, "it is stopping\n")
        await shop.say("/pool help")
        waiting = "SELECT count(*) FROM commands WHERE state = 'received'"
        await shop.until(lambda: shop.rows(waiting) == [(1,)])
        assert shop.bot.process.returncode is None
        held.go_on.set()
        async with asyncio.timeout(PATIENCE):
            assert await shop.bot.ended() == 0, "\n".join(shop.bot.log)

        await shop.begin()
        await shop.reviewed()
        await shop.quiet()
        assert shop.rows("SELECT max(attempt) FROM tasks") == [(1,)], "no run was begun twice"
        assert shop.ledger == shop.model.bill.total
        assert ("/pool help", "answered") in shop.answers()


async def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    async with world(tmp_path, bot_type=Bot, more={"CLAUDE_POOL_STOP_TIMEOUT": "3600"}) as shop:
        shop.model.script = held = Held()
        await shop.say("/pool review")
        await asyncio.wait_for(held.asked.wait(), PATIENCE)
        assert shop.bot.process is not None
        shop.bot.process.send_signal(signal.SIGTERM)
        await shop.until(lambda: any("action=stopping" in line for line in shop.bot.log))
        shop.bot.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await shop.bot.ended() == 0, "\n".join(shop.bot.log)
        held.go_on.set()


async def test_a_second_server_on_the_same_file_is_refused_in_words_and_changes_nothing(
    shop: World,
) -> None:
    left = shop.bot.state / "leases" / "anything"
    left.mkdir(parents=True)
    second = Bot(shop.bot.state, {**shop.bot.environment, "CLAUDE_POOL_PORT": "0"})
    with pytest.raises(RuntimeError, match="another process runs tasks from") as refused:
        await second.start()
    assert "Traceback" not in str(refused.value)
    assert left.is_dir()
    await shop.say("/pool help")
    await shop.answered()
