"""An agent that opens its own gateway: one for each pool."""

from __future__ import annotations

from claude_pool_gh import ClaudeAgent
from claude_pool_gh.agent.own_gateway import OwnGateway
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.storage import Database

KEY = "sk-ant-of-nobody"


async def test_one_agent_in_two_pools_books_what_each_spends_to_its_own_money() -> None:
    agent = ClaudeAgent(key=KEY)
    books = [Database.temporary(), Database.temporary()]
    async with (
        agent.at_work(books[0], SystemClock()) as one,
        agent.at_work(books[1], SystemClock()) as two,
    ):
        assert isinstance(one.gateway, OwnGateway)
        assert isinstance(two.gateway, OwnGateway)
        assert [one.gateway.meter.database, two.gateway.meter.database] == books
        assert one.redact is not None
        assert one.redact(f"Bearer {KEY}") == "Bearer [key]"
    assert (agent.gateway, agent.redact) == (None, None), "it can be opened again, with another key"
