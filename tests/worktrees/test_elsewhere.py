"""A host step of a chain that another machine began finds the chain's commits in this machine's mirror."""

from __future__ import annotations

from dataclasses import replace

import pytest
from git.exc import NoSuchPathError

from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.host_steps.elsewhere import with_commits
from claude_pool_gh.pool.model.plan import Limits, Plan
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.terms.ids import Actor, Repository, Thread
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.git import Credentials
from tests.worktrees.site import Site


def context_of(site: Site, head: str) -> HostStepContext:
    where = Repository(id=site.widgets.id, owner="octo", name="widgets", installation_id=1)
    facts = ThreadFacts(
        thread=Thread(repository=where, number=1),
        place="issue",
        line="/pool ask",
        head=head,
        requester=Actor(id=1, login="mona"),
        base_ref="main",
        default_branch="main",
    )
    limits = Limits(task=1, chain=1, wall_seconds=1, idle_seconds=1)
    return HostStepContext(
        "c", Plan(verb="ask", steps=(), limits=limits, context=facts.model_dump()), {}
    )


async def test_what_an_earlier_step_had_fetched_elsewhere_is_fetched_here(site: Site) -> None:
    head = site.widgets.head()

    async def step(_context: HostStepContext) -> Done | Finish:
        mirror = site.worktrees.mirror(site.widgets.id).path
        return Done(await history.read_files(mirror, head, ["README.md"]))

    with pytest.raises(NoSuchPathError):  # as it was: nothing is here
        await step(context_of(site, head))
    assert await with_commits(site.worktrees, step)(context_of(site, head)) == Done(
        {"README.md": "hi\n"}
    )


async def test_an_outage_is_told_as_one_and_a_lost_commit_is_left_to_the_step(site: Site) -> None:
    async def step(_context: HostStepContext) -> Done | Finish:
        return Done("the step's own words")

    async def no_token(_repository_id: int, _fresh: bool) -> Credentials:
        raise OriginUnavailable("GitHub gave no token now", "")

    lost = context_of(site, "0" * 39 + "1")
    assert await with_commits(site.worktrees, step)(lost) == Done("the step's own words")
    away = with_commits(replace(site.worktrees, login=no_token), step)
    with pytest.raises(WorktreeError, match="no token now"):
        await away(lost)
