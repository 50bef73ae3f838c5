"""A machine that is thrown away fetches commits without their histories, and can do all that it is there for."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from claude_pool_gh.conversation.host_steps.elsewhere import with_commits
from claude_pool_gh.pool.model.ports import Done, Finish, HostStepContext
from claude_pool_gh.worktrees import history
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.git import Credentials, git
from claude_pool_gh.worktrees.snapshot import Signature
from tests.worktrees.site import Site
from tests.worktrees.test_elsewhere import context_of

REFS = ["refs/heads/main"]
MANY = 12


@pytest.fixture
def cut(site: Site) -> Site:
    site.worktrees = replace(site.worktrees, is_shallow=True)
    return site


def long_history(site: Site) -> list[str]:
    """The commits of `main`, each with another version of one file, oldest first."""
    made = [site.widgets.commit("main", {"src/a.py": f"a = {number}\n"}) for number in range(MANY)]
    return [str(each) for each in made]


async def commits_in(mirror: Path, head: str) -> int:
    return int(await git("rev-list", "--count", head, git_dir=mirror))


async def test_the_cost_of_a_fetch_does_not_grow_with_the_history(site: Site) -> None:
    head = long_history(site)[-1]
    mirror = await site.worktrees.fetch(site.widgets.id, [head], REFS)
    assert await commits_in(mirror, head) > MANY, "the control"
    few = replace(site.worktrees, state=site.tmp / "few", is_shallow=True, _mirrors={})
    mirror = await few.fetch(site.widgets.id, [head], REFS)
    assert await commits_in(mirror, head) == 1
    audit = replace(few, state=site.tmp / "audit", _mirrors={})
    mirror = await audit.fetch(site.widgets.id, [head], REFS, history=5)
    counted = await history.commits_of_paths(mirror, head)
    assert counted["src/a.py"] == 5


async def test_single_commits_of_the_past_are_compared_without_what_lies_between(cut: Site) -> None:
    made = long_history(cut)
    mirror = await cut.worktrees.fetch(cut.widgets.id, [made[-1]], REFS)
    await cut.worktrees.fetch(cut.widgets.id, [made[0]], [])
    found = await history.diff(mirror, made[0], made[-1])
    assert f"-a = 0\n+a = {MANY - 1}\n" in found
    assert await commits_in(mirror, made[0]) == 1


async def test_a_change_is_made_a_commit_and_pushed(cut: Site) -> None:
    head = long_history(cut)[-1]
    async with cut.lease(commit=head) as lease:
        (lease.folder / "README.md").write_text("bye\n")
        work = await lease.capture()
    assert work is not None
    own = Signature(message="Say bye", name="bot", email="bot@localhost", when_s=1_700_000_000)
    commit = await cut.worktrees.commit(cut.widgets.id, work, head, own)
    login = await cut.worktrees.login(cut.widgets.id, False)  # noqa: FBT003 - as it is called
    await cut.worktrees.push(cut.widgets.id, login, commit, REFS[0], head)
    assert cut.widgets.head() == commit
    assert cut.widgets.git.text("rev-list", "--count", commit) == str(MANY + 2)


async def test_the_next_job_has_what_an_earlier_one_compared_with(cut: Site) -> None:
    made = long_history(cut)

    async def step(_context: HostStepContext) -> Done | Finish:
        mirror = cut.worktrees.mirror(cut.widgets.id).path
        return Done(await history.read_files(mirror, made[3], ["src/a.py"]))

    begun = replace(context_of(cut, made[-1]), results={"brief": {"merge_base": made[3]}})
    assert await with_commits(cut.worktrees, step)(begun) == Done({"src/a.py": "a = 3\n"})


async def killed_at_work(mirror: Path) -> None:
    """What git leaves that is killed while commits come without their history, and while it writes a ref."""
    for lock in (mirror / "shallow.lock", mirror / "packed-refs.lock"):
        lock.touch()
    raise asyncio.CancelledError


async def test_a_fetch_that_was_killed_is_in_the_way_of_no_later_one(cut: Site) -> None:
    made = long_history(cut)
    mirror = await cut.worktrees.fetch(cut.widgets.id, [made[3]], [])
    with pytest.raises(asyncio.CancelledError):
        async with cut.worktrees.mirror(cut.widgets.id).alone():
            await killed_at_work(mirror)
    assert list(mirror.rglob("*.lock")) == []
    lock = mirror / "shallow.lock"
    lock.touch()
    with pytest.raises(
        WorktreeError
    ):  # the control; nor is one removed that another may still need
        await cut.worktrees.fetch(cut.widgets.id, [made[5]], [])
    lock.touch()
    os.utime(lock, (time.time() - 86_400,) * 2)
    await cut.worktrees.fetch(cut.widgets.id, [made[5]], [])
    assert await commits_in(mirror, made[5]) == 1


async def test_what_came_without_its_history_is_deepened_for_whoever_needs_that(cut: Site) -> None:
    """Every host step has its commits before it begins, and an audit's asks for more of their past."""
    head = long_history(cut)[-1]

    async def step(_context: HostStepContext) -> Done | Finish:
        mirror = await cut.worktrees.fetch(cut.widgets.id, [head], REFS, history=5)
        return Done((await history.commits_of_paths(mirror, head))["src/a.py"])

    assert await with_commits(cut.worktrees, step)(context_of(cut, head)) == Done(5)
    mirror = cut.worktrees.mirror(cut.widgets.id)
    assert await commits_in(mirror.path, head) == 5

    async def no_login(_repository_id: int, _fresh: bool) -> Credentials:
        raise AssertionError("nothing is missing")

    warm = replace(cut.worktrees, login=no_login)
    await warm.fetch(cut.widgets.id, [head], REFS, history=5)
    await cut.worktrees.fetch(cut.widgets.id, [head], REFS, history=MANY * 9)
    await warm.fetch(cut.widgets.id, [head], REFS, history=MANY * 9)
    assert await commits_in(mirror.path, head) > MANY, "and then all of it is here"
