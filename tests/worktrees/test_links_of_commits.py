"""A commit that puts a link where the commit before it had a folder: nothing is looked at or removed through it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claude_pool_gh.rehearsal.github import Symlink
from claude_pool_gh.worktrees.checkouts.checkout import Checkout
from claude_pool_gh.worktrees.checkouts.listing import UnusableCheckout, entry_of
from tests.worktrees.site import Site
from tests.worktrees.test_checkouts import clean, kept
from tests.worktrees.truth import truth_of

UP = "../../../.."
"""From a checkout's files to the state folder."""


async def moved_to_a_link(site: Site) -> str:
    """A commit whose folder `a` has become a link to the state folder, after one with `a/precious` and more."""
    before = {"a/precious": "x", "a/kept/one.txt": "x", "a/kept/two.txt": "y"}
    first = site.widgets.commit("main", before)
    async with site.lease(writes=False, commit=first):
        pass
    gone = dict.fromkeys(before)
    return site.widgets.commit("main", {**gone, "a": Symlink(UP)})


async def test_nothing_outside_is_removed_when_a_writer_gives_such_a_commit_back(
    site: Site,
) -> None:
    second = await moved_to_a_link(site)
    state = site.worktrees.state
    (state / "precious").write_text("the server's own")
    (state / "kept").mkdir()
    (state / "kept" / "one.txt").write_text("the server's own")
    async with site.lease(commit=second) as lease:
        assert str((lease.folder / "a").readlink()) == UP
        assert (lease.folder / "a" / "precious").read_text() == "the server's own"
    await site.until_nothing_is_left()
    assert (state / "precious").read_text() == "the server's own"
    assert (state / "kept" / "one.txt").read_text() == "the server's own"


async def test_readers_of_such_a_commit_are_not_told_that_it_was_changed(site: Site) -> None:
    second = await moved_to_a_link(site)
    (site.worktrees.state / "precious").write_text("the server's own")
    async with site.lease(writes=False, commit=second) as lease:
        assert truth_of(lease.folder) == await clean(site, second)
    assert len(kept(site)) == 1


async def test_nothing_is_removed_through_a_link_whatever_the_list_says(site: Site) -> None:
    commit = site.widgets.commit("main", {"a": Symlink(UP)})
    precious = site.worktrees.state / "precious"
    async with site.lease(commit=commit):
        precious.write_text("the server's own")
    (place,) = kept(site)
    checkout = Checkout(place, site.mirror)
    was = checkout.sealed()
    assert was is not None
    wrong = replace(was, entries={**was.entries, b"a/precious": entry_of(precious)})
    with pytest.raises(UnusableCheckout):
        await checkout.mend(wrong)
    assert precious.read_text() == "the server's own"
