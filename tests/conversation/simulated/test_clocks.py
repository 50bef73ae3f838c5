"""What a clock does that hurries, or is set back: nothing happens twice, and nothing waits for a month."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from claude_pool_gh.conversation.audit.scheduler import AuditScheduler
from claude_pool_gh.conversation.intake.command_policy import CommandPolicy
from claude_pool_gh.github import inbox
from tests.conversation.simulated.kit import CONFIG, Clock, Desk
from tests.pool.make import DAY

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class HurryingClock(Clock):
    """Whenever somebody looks, minutes have passed."""

    def now_ms(self) -> int:
        self.now += 130_000
        return self.now


async def test_a_command_that_was_taken_twice_is_carried_out_once(desk: Desk) -> None:
    pull = desk.topic()
    chain_id = desk.chain(desk.facts(pull))
    request = await desk.request("/pool cancel", at=pull)
    assert desk.do(lambda tx: inbox.store(tx, request, desk.clock.now))
    judge = desk.worker.judge
    services = replace(desk.services, clock=HurryingClock(desk.clock.now))
    policy = CommandPolicy(services, judge.verb_handlers, judge.config_loader)
    worker = replace(desk.worker, judge=policy)
    ended = await asyncio.gather(worker.handle_next(), worker.handle_next())
    assert worker.counts == {"done": 1}, "or it was not taken twice, or done twice"
    assert len(ended) == 2
    assert None not in ended, "it was taken twice"
    (text,) = [
        body for key, body in (await desk.wanted("reply")).items() if key == f"reply:{request.key}"
    ]
    assert f"(`{chain_id}`) is being cancelled." in text


async def test_schedules_are_read_again_at_once_where_the_clock_was_set_back(desk: Desk) -> None:
    await desk.say("/pool help")
    scheduler = AuditScheduler(desk.services, desk.worker.judge.config_loader)

    def read() -> int:
        return sum(CONFIG in each.path for each in desk.github.requests)

    desk.clock.now += 30 * DAY
    before = read()
    await scheduler.look()
    await scheduler.look()
    assert read() == before + 1, "once an hour"
    desk.clock.now -= 30 * DAY
    await scheduler.look()
    assert read() == before + 2
