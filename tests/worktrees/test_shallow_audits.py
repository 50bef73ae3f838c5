"""An audit on a machine that is thrown away knows what changes often, and where earlier runs' findings are now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from claude_pool_gh.audits.rows import audit_key
from claude_pool_gh.conversation.audit.brief import brief
from claude_pool_gh.conversation.audit.facts import AuditFacts
from claude_pool_gh.conversation.audit.server import Server
from claude_pool_gh.conversation.host_steps.elsewhere import with_commits
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings import tables
from claude_pool_gh.pool.model.plan import Limits, Plan
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.rehearsal.github import Content
from claude_pool_gh.storage import Database, migrations
from claude_pool_gh.worktrees import history
from tests.conversation.review_steps import Answers
from tests.findings.make import finding
from tests.worktrees.site import Site
from tests.worktrees.test_elsewhere import context_of

LINES = "".join(f"line_{number} = {number}\n" for number in range(40))
OLD, NEW = "shop/prices.py", "shop/rebates.py"


@pytest.fixture
def services(site: Site) -> Iterator[Services]:
    site.worktrees = replace(site.worktrees, is_shallow=True)
    database = Database.open(f"sqlite:///{site.tmp}/pool.db")
    migrations.upgrade(database.engine)
    main = {"commit": {"sha": site.widgets.head()}}
    parts = SimpleNamespace(
        database=database,
        worktrees=site.worktrees,
        forge=Answers({"/branches/main": main}),
        clock=SimpleNamespace(now_ms=lambda: 1_000),
    )
    yield cast(Services, parts)
    database.close()


def commit(site: Site, files: dict[str, Content | None]) -> str:
    return str(site.widgets.commit("main", files))


async def planned(site: Site, services: Services, head: str) -> dict[str, Any]:
    """The result of an audit's first step, as a job runs it."""
    own = context_of(site, head)
    facts = AuditFacts.model_validate(own.plan.context | {"name": "defects", "kind": "defects"})
    limits = Limits(task=10**9, chain=10**9, wall_seconds=1, idle_seconds=1)
    plan = Plan(verb="audit", steps=(), limits=limits, context=facts.model_dump(mode="json"))

    async def step(context: HostStepContext) -> Done | Finish:
        return await brief(Server(services), context)

    done = await with_commits(site.worktrees, step)(replace(own, plan=plan))
    assert isinstance(done, Done), done
    return cast(dict[str, Any], done.result)


async def test_a_finding_in_a_file_that_was_renamed_since_is_found_in_it(
    site: Site, services: Services
) -> None:
    # of a branch that has been rewritten since: no history of the present one has it
    placed = str(site.widgets.commit("rewritten", {OLD: LINES}))
    known = finding(path=OLD, start_line=3, end_line=3, evidence="line_2 = 2")
    audit = audit_key(site.widgets.id, "defects")
    await services.database.transact(
        lambda tx: tables.remember(tx, audit, "c", "audit", [known], 1, head=placed)
    )
    head = commit(site, {NEW: LINES.replace("line_2 = 2\n", "line_2 = 3\n")})
    (changed,) = (await planned(site, services, head))["earlier"]["changed"]
    assert (changed["finding"]["path"], changed["exists"]) == (NEW, True)
    assert "-line_2 = 2\n+line_2 = 3\n" in changed["change"]


async def test_an_audit_has_the_history_that_it_orders_by(site: Site, services: Services) -> None:
    head = [commit(site, {OLD: f"{LINES}last = {number}\n"}) for number in range(4)][-1]
    await planned(site, services, head)
    mirror = site.worktrees.mirror(site.widgets.id).path
    assert (await history.commits_of_paths(mirror, head))[OLD] == 4
