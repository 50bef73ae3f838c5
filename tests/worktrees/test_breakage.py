"""What a power cut leaves in a mirror costs only itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claude_pool_gh.worktrees.git import git
from claude_pool_gh.worktrees.leases import Worktrees
from claude_pool_gh.worktrees.mirror import Mirror
from tests.worktrees.site import Site

NOWHERE = b"1" * 40 + b"\n"


@pytest.mark.parametrize("left", [b"", b"\0" * 41, NOWHERE], ids=["empty", "zeros", "no object"])
async def test_a_broken_ref_keeps_no_other_commit_from_being_fetched(
    site: Site, left: bytes
) -> None:
    first = site.widgets.head()
    await site.worktrees.fetch(site.widgets.id, [first], ["refs/heads/main"])
    for ref in (site.mirror / "refs/pool").rglob("*"):
        if ref.is_file():
            ref.write_bytes(left)
    second = site.widgets.commit("main", {"more.txt": "1\n"})
    later = Worktrees(site.worktrees.state, site.worktrees.login)
    for commit in (second, first):
        mirror = await later.fetch(site.widgets.id, [commit], ["refs/heads/main"])
        assert (await git("cat-file", "-t", commit, git_dir=mirror)).strip() == b"commit"
    refs = await git("for-each-ref", "--format=%(objectname)", git_dir=site.mirror)
    assert set(refs.decode().split()) == {first, second}


async def test_an_object_without_content_is_dropped_at_the_start(site: Site) -> None:
    await site.worktrees.fetch(site.widgets.id, [site.widgets.head()], [])
    empty = site.mirror / "objects" / "ab" / ("c" * 38)
    empty.parent.mkdir(exist_ok=True)
    empty.touch()
    Mirror(site.mirror).unlock()
    assert not empty.exists()


async def test_a_mirror_that_cannot_be_pruned_costs_only_itself(site: Site) -> None:
    await site.worktrees.fetch(site.widgets.id, [site.widgets.head()], [])
    (ref,) = (site.mirror / "refs/pool/commits").iterdir()
    os.utime(ref, (1, 1))
    before = site.worktrees.state / "mirrors" / "1.git"
    assert site.mirror.name > before.name
    before.mkdir()
    (before / "HEAD").write_text("what no git writes\n")
    (before / "refs/pool/commits").mkdir(parents=True)
    old = before / "refs/pool/commits" / ("a" * 40)
    old.write_bytes(NOWHERE)
    os.utime(old, (1, 1))
    assert await site.worktrees.prune(1.0) == 1
    assert not ref.exists()


async def test_a_broken_ref_is_dropped_when_its_mirror_is_pruned(site: Site) -> None:
    await site.worktrees.fetch(site.widgets.id, [site.widgets.head()], [])
    (ref,) = (site.mirror / "refs/pool/commits").iterdir()
    ref.write_bytes(b"")
    os.utime(ref, (1, 1))
    other = Path(ref.parent / ("2" * 40))
    other.write_bytes(NOWHERE)
    assert await site.worktrees.prune(10.0**12) == 0
    assert not ref.exists()
    assert not other.exists()
