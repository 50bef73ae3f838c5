"""A step of a chain whose repository was renamed since it was planned is told the present name, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.host_steps.renamed_repository import under_present_name
from claude_pool_gh.github import inbox
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.terms.ids import Repository
from tests.conversation.rows import SHOP, chain

RENAMED = SHOP.model_copy(update={"name": "store", "installation_id": 4})
OTHER = Repository(id=2, owner="octo", name="other")


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    database = Database.temporary()
    migrations.upgrade(database.engine)
    yield database
    database.close()


@pytest.mark.parametrize(
    ("known", "told"),
    [([], SHOP), ([SHOP], SHOP), ([RENAMED], RENAMED), ([OTHER], SHOP), ([SHOP, RENAMED], RENAMED)],
    ids=["nothing is known", "the same", "renamed", "another one's name", "renamed since"],
)
async def test_a_step_works_under_the_name_that_the_repository_has_now(
    database: Database, known: list[Repository], told: Repository
) -> None:
    for each in known:
        await database.transact(partial(inbox.remember_repository, repository=each))
    plan = chain(context={"settings": {"a": 1}}).plan
    seen: list[HostStepContext] = []

    async def step(context: HostStepContext) -> Done | Finish:
        seen.append(context)
        return Done({"of": "the step"})

    given = HostStepContext("c", plan, {"brief": 1})
    assert await under_present_name(database, step)(given) == Done({"of": "the step"})
    (context,) = seen
    before, now = (facts_of(each.plan.context, ThreadFacts) for each in (given, context))
    assert now.thread.repository == told
    same = now.thread.model_copy(update={"repository": SHOP})
    assert now.model_copy(update={"thread": same}) == before
    assert (context.chain_id, context.results) == ("c", {"brief": 1})
    assert context.plan.context["settings"] == {"a": 1}
    assert context.plan.steps == plan.steps
    assert facts_of(plan.context, ThreadFacts).thread.repository == SHOP, "the plan is frozen"
