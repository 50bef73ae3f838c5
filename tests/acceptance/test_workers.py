"""A server that only accepts, and workers on other machines that run what it has accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.bot import Bot
from claude_pool_gh.rehearsal.model import Answer, ModelRequest
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.rehearsal.skills import skill_of
from tests import ours
from tests.acceptance.world import World, world
from tests.pool.kit import GUARD

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
COMMAND = ours.cli("worker")


@pytest.fixture
async def shop(tmp_path: Path, postgres: Callable[[], str]) -> AsyncIterator[World]:
    only_accepts = {"CLAUDE_POOL_DATABASE_URL": postgres(), "CLAUDE_POOL_SLOTS": "0"}
    async with world(tmp_path, more=only_accepts) as made:
        made.model.script = Reviewer(stage.PLANTED)
        yield made


@pytest.fixture
async def worker(shop: World, tmp_path: Path) -> AsyncIterator[Callable[[], Bot]]:
    """Makes workers, each with a state folder of its own, as on a machine of its own."""
    made: list[Bot] = []

    def make() -> Bot:
        state = tmp_path / f"worker-{len(made)}"
        state.mkdir()
        own = {"CLAUDE_POOL_STATE_DIR": str(state), "CLAUDE_POOL_SLOTS": "2", "HOME": str(state)}
        own |= {"CLAUDE_POOL_STOP_TIMEOUT": "60"}
        given = {
            k: v for k, v in shop.bot.environment.items() if k != "CLAUDE_POOL_WEBHOOK_SECRET"
        } | own
        made.append(Bot(state, given, COMMAND, ready="working for "))
        return made[-1]

    yield make
    for each in made:
        await each.kill()


class Held:
    """The scripted reviewer, who does not verify anything before he may."""

    def __init__(self) -> None:
        self.asked, self.go_on, self.reviewer = (
            asyncio.Event(),
            asyncio.Event(),
            Reviewer(stage.PLANTED),
        )

    async def __call__(self, request: ModelRequest) -> Answer:
        if skill_of(request) == "verify-finding":
            self.asked.set()
            await self.go_on.wait()
        return self.reviewer(request)


async def test_a_worker_runs_what_the_server_has_accepted(
    shop: World, worker: Callable[[], Bot]
) -> None:
    shop.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    await shop.say("/pool review")
    await shop.shows("review", "waiting in the queue")
    await worker().start()
    check = await shop.reviewed()
    assert (check.title or "").startswith("1 finding (worst: high) in 2 files read")
    await shop.github.until(lambda: shop.reviews)
    assert not list((shop.bot.state / "leases").glob("*/*")), "no agent has worked on the server"
    # The server's settings, with which the worker has compared its own.
    assert shop.rows("SELECT value FROM server_settings WHERE name = 'app_id'") == [
        (shop.bot.environment["CLAUDE_POOL_APP_ID"],)
    ]
    assert shop.ledger == shop.model.bill.total


async def test_another_machine_goes_on_with_the_review_of_a_dead_one(
    shop: World, worker: Callable[[], Bot]
) -> None:
    """It has never seen the repository; what was found is found once, and the review is posted once."""
    shop.model.script = held = Held()
    first, second = worker(), worker()
    await first.start()
    await shop.say("/pool review --budget 9")  # what the dead one had under way counts at its most
    await asyncio.wait_for(held.asked.wait(), GUARD)
    finds = "SELECT count(*) FROM tasks WHERE step = 'find'"
    before = shop.rows(finds)
    await first.kill()
    held.go_on.set()
    await second.start()
    check = await shop.reviewed()
    assert (check.title or "").startswith("2 findings (worst: critical) in 2 files read")
    await shop.github.until(lambda: shop.reviews)
    assert (len(shop.reviews), len(shop.own_comments())) == (1, 1)
    assert shop.rows(finds) == before
    assert shop.rows("SELECT max(attempt) FROM tasks WHERE step = 'find'") == [(1,)]


async def test_a_worker_told_to_stop_ends_what_runs_and_leaves_the_rest_to_another(
    shop: World, worker: Callable[[], Bot]
) -> None:
    shop.model.script = held = Held()
    first, second = worker(), worker()
    await first.start()
    await shop.say("/pool review")
    await asyncio.wait_for(held.asked.wait(), GUARD)
    stopping = asyncio.create_task(first.stop())
    await second.start()
    held.go_on.set()
    assert await stopping == 0, "\n".join(first.log)
    await shop.reviewed()
    await shop.github.until(lambda: shop.reviews)
    assert len(shop.reviews) == 1
    assert shop.rows("SELECT max(attempt) FROM tasks") == [(1,)], "no run was begun twice"
    assert shop.ledger == shop.model.bill.total
