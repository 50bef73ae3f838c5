"""Refs that are old go, and what they named can be fetched again."""

from __future__ import annotations

import os
import time

import pytest

from claude_pool_gh.worktrees import pruning
from claude_pool_gh.worktrees.git import git
from tests.worktrees.site import Site

DAY = 86_400.0


async def test_an_old_ref_goes_a_young_one_stays_and_both_commits_can_be_had(site: Site) -> None:
    old = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [old], ["refs/heads/main"])
    young = site.widgets.commit("main", {"more.txt": "1\n"})
    await site.worktrees.fetch(site.widgets.id, [young], ["refs/heads/main"])
    mirror = site.worktrees.mirror(site.widgets.id)
    kept = mirror.path / "refs/pool/commits"
    assert {each.name for each in kept.iterdir()} == {old, young}
    os.utime(kept / old, (time.time() - 3 * DAY,) * 2)
    assert await site.worktrees.prune(4 * DAY) == 0
    assert await site.worktrees.prune(2 * DAY) == 1
    assert [each.name for each in kept.iterdir()] == [young]
    assert await mirror.has(young)
    assert not await mirror.has(old)
    await site.worktrees.fetch(site.widgets.id, [old], ["refs/heads/main"])
    assert await mirror.has(old)


async def test_objects_outlive_their_refs_for_as_long_again(site: Site) -> None:
    head = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [head], [])
    mirror = site.worktrees.mirror(site.widgets.id)
    for ref in (mirror.path / "refs/pool/commits").iterdir():
        os.utime(ref, (1, 1))
    assert await pruning.prune_refs(mirror, DAY) == 1
    await pruning._drop_objects(mirror.path, DAY)
    assert await git("cat-file", "-t", head, git_dir=mirror.path) == b"commit\n"
    for pack in (mirror.path / "objects/pack").iterdir():
        os.utime(pack, (1, 1))
    await pruning._drop_objects(mirror.path, 0)
    remaining = await git("count-objects", "-v", git_dir=mirror.path)
    assert b"count: 0\n" in remaining


async def test_a_mirror_of_which_nothing_was_fetched_for_long_goes_unless_it_is_wanted(
    site: Site,
) -> None:
    own = site.widgets.id
    await site.worktrees.fetch(own, [site.widgets.head()], [])
    mirror = site.worktrees.mirror(own).path
    assert await site.worktrees.remove_unused(()) == 0, "it was fetched from just now"
    for ref in (mirror / "refs/pool/commits").iterdir():
        os.utime(ref, (1, 1))
    await site.worktrees.prune(DAY)
    assert await site.worktrees.remove_unused({own}) == 0
    assert await site.worktrees.remove_unused(()) == 1
    assert not mirror.exists()


async def test_refs_of_branches_that_nobody_fetches_any_more_go_too(site: Site) -> None:
    head = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [head], ["refs/heads/main"])
    mirror = site.worktrees.mirror(site.widgets.id)
    fetched = mirror.path / "refs/pool/fetched/heads/main"
    assert fetched.is_file()
    for ref in (fetched, mirror.path / "refs/pool/commits" / head):
        os.utime(ref, (1, 1))
    assert await site.worktrees.prune(DAY) == 2
    assert await git("for-each-ref", git_dir=mirror.path) == b""
    await site.worktrees.fetch(site.widgets.id, [head], ["refs/heads/main"])
    assert await mirror.has(head)


async def test_objects_are_looked_at_however_slowly_refs_grow_old(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_MANY", 3)
    mirror = site.worktrees.mirror(site.widgets.id)
    for number in range(3):
        commit = site.widgets.commit("main", {"more.txt": f"{number}\n"})
        await site.worktrees.fetch(site.widgets.id, [commit], [])
        os.utime(mirror.path / "refs/pool/commits" / commit, (1, 1))
        for pack in (mirror.path / "objects/pack").iterdir():
            os.utime(pack, (1, 1))
        for loose in (mirror.path / "objects").glob("??/*"):
            os.utime(loose, (1, 1))
        assert await site.worktrees.prune(DAY) == 1
    counted = await git("count-objects", "-v", git_dir=mirror.path)
    assert b"\ncount: 0\n" in b"\n" + counted
    assert b"in-pack: 0\n" in counted, "what nothing refers to is gone after the third round"
