"""A schedule is no person: what it begins uses up no user's day and no thread's lifetime."""

from __future__ import annotations

from claude_pool_gh.commands.grammar import Command, parse
from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation import registry
from claude_pool_gh.conversation.caps import CONVERSATION, account_of
from claude_pool_gh.conversation.services import Defaults, caps_of
from claude_pool_gh.pool.store import cap_uses, chains, lookup
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Actor, Repository
from tests.pool.make import NOW, plan

SHOP = Repository(id=1, owner="octo", name="shop", installation_id=1)
MONA = Actor(id=7, login="mona", is_human=True)
DEFAULTS = Defaults(model="m", pool_cap=None, idle_seconds=60, wall_seconds=None)


def test_what_a_schedule_spends_counts_against_the_repositorys_month_alone() -> None:
    verbs = {name: each.verb for name, each in registry.handlers().items()}
    command = parse("/pool audit", verbs)
    assert isinstance(command, Command)
    config = RepositoryConfig()
    scheduled = caps_of(config, command, DEFAULTS, scheduled=True)
    asked = caps_of(config, command, DEFAULTS)
    assert [cap.name for cap in scheduled.shared] == ["repository and month"]
    assert (scheduled.task, scheduled.chain) == (asked.task, asked.chain), "its own budget holds"
    database = Database.temporary()
    migrations.upgrade(database.engine)
    hers = account_of("1:5", MONA, SHOP)
    with database.engine.begin() as tx:
        for number in range(4):
            of_nobody = account_of("1:5", MONA, SHOP, scheduled=True)
            chains.create(tx, f"night-{number}", plan("audit"), of_nobody, scheduled, NOW)
        used = {use.name: use.used for use in cap_uses.cap_uses(tx, hers, asked, NOW)}
        assert used == {
            "thread": 0,
            "user and day": 0,
            "repository and month": 4 * scheduled.chain,
        }
        found = lookup.newest_of(tx, CONVERSATION, "1:5", limit=9)
        assert len(found) == 4, "people who ask in the thread find them"
    database.close()
