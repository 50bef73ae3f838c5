"""An agent that opens its own gateway: one for each pool."""

from __future__ import annotations

from claude_pool_gh import ClaudeAgent
from claude_pool_gh.agent.own_gateway import OwnGateway
from claude_pool_gh.pool.model.clock import SystemClock
from claude_pool_gh.storage import Database

KEY = "sk-ant-of-nobody"


class Noting(ClaudeAgent):
    """Takes something else than a ClaudeAgent does."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(key=KEY)
        self.notes = notes


async def test_an_agent_of_a_class_made_of_this_one_keeps_what_it_has() -> None:
    agent = Noting([])
    async with agent.at_work(Database.temporary(), SystemClock()) as bound:
        assert isinstance(bound, Noting)
        assert (bound.notes is agent.notes, bound.gateway is None) == (True, False)
    assert agent.gateway is None


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
