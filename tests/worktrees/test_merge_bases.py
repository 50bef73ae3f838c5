"""Where two commits went apart, also where GitHub does not say it and this machine has cut their histories."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import cast

import pytest

from claude_pool_gh.conversation.lookups import branch_point
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.github.errors import ForgeError, ForgeRefused, ForgeUnavailable, NotFound
from claude_pool_gh.terms.ids import Repository
from claude_pool_gh.worktrees import deepening
from claude_pool_gh.worktrees.deepening import EVERYTHING
from claude_pool_gh.worktrees.errors import NoCommonCommit, OriginUnavailable
from claude_pool_gh.worktrees.git import Credentials
from tests.conversation.review_steps import Answers
from tests.worktrees.site import Site

NUMBERS = count()
PLAIN_404 = NotFound(404, "Not Found")
"""What a server of GitHub's says that has not heard of a push yet."""
LARGE = [
    PLAIN_404,
    ForgeUnavailable("GitHub answered 500: this diff is taking too long to generate"),
    ForgeRefused(406, "Sorry, the diff exceeded the maximum number of files"),
]
WHERE = Repository(id=1, owner="octo", name="widgets", installation_id=1)


@pytest.fixture
def cut(site: Site) -> Site:
    site.worktrees = replace(site.worktrees, is_shallow=True)
    return site


def line(site: Site, begin: str, length: int, *more: str) -> list[str]:
    """New commits, one upon the other; `more`: further parents of the last one."""
    git, made = site.widgets.git, [begin]
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    tree = git.text("rev-parse", f"{begin}^{{tree}}")
    for number in range(length):
        parents = [made[-1], *(more if number == length - 1 else ())]
        with_parents = [word for each in parents for word in ("-p", each)]
        made.append(
            git.text(*who, "commit-tree", tree, *with_parents, "-m", f"number {next(NUMBERS)}")
        )
    git.set_ref(f"refs/heads/line-{made[-1]}", made[-1])
    return made[1:]


def services_of(site: Site, refusal: Exception) -> Services:
    forge = Answers({"/compare/": refusal})
    return cast(Services, SimpleNamespace(worktrees=site.worktrees, forge=forge))


@pytest.mark.parametrize("refusal", LARGE, ids=["404", "500", "406"])
@pytest.mark.parametrize("is_shallow", [True, False])
async def test_git_says_it_where_the_difference_is_too_large_for_github(
    site: Site, refusal: ForgeError, *, is_shallow: bool
) -> None:
    point = site.widgets.head()
    base, head = line(site, point, 3)[-1], line(site, point, 4)
    site.worktrees = replace(site.worktrees, is_shallow=is_shallow)
    services = services_of(site, refusal)
    where = WHERE.model_copy(update={"id": site.widgets.id})
    assert await branch_point.merge_base(services, where, base, head[-1]) == point
    assert await branch_point.is_ancestor(services, where, head[0], head[-1])
    assert not await branch_point.is_ancestor(services, where, base, head[-1])


async def test_a_cut_history_is_deepened_until_both_lines_meet(cut: Site) -> None:
    point = cut.widgets.head()
    base, head = line(cut, point, 9)[-1], line(cut, point, 7)[-1]
    steps = (2, 4, EVERYTHING)
    found = await deepening.merge_base(cut.worktrees, cut.widgets.id, base, head, steps)
    assert found == point
    with pytest.raises(NoCommonCommit, match="that could be fetched"):
        await deepening.merge_base(
            replace(cut.worktrees, state=cut.tmp / "few", _mirrors={}),
            cut.widgets.id,
            base,
            head,
            (2, 4),
        )


async def test_a_nearer_commit_in_common_beyond_a_cut_is_the_one(cut: Site) -> None:
    """An old side line, merged into the base, holds what the head went on from."""
    old = cut.widgets.head()
    (near,) = line(cut, old, 1)
    side = line(cut, near, 8)[-1]
    base = line(cut, old, 2, side)[-1]
    head = line(cut, near, 1)[-1]
    found = await deepening.merge_base(cut.worktrees, cut.widgets.id, base, head, (4, EVERYTHING))
    assert found == near


async def test_lines_that_never_meet_have_none(cut: Site) -> None:
    git = cut.widgets.git
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    main = cut.widgets.head()
    alone = git.text(*who, "commit-tree", f"{main}^{{tree}}", "-m", "alone")
    git.set_ref("refs/heads/alone", alone)
    where = WHERE.model_copy(update={"id": cut.widgets.id})
    said = NotFound(404, f"No common ancestor between {main} and {alone}.")
    for answer in (*LARGE, said):
        services = services_of(cut, answer)
        with pytest.raises(NotFound):
            await branch_point.merge_base(services, where, main, alone)
        assert not await branch_point.is_ancestor(services, where, main, alone)


async def test_an_outage_of_both_is_told_as_github_told_it(cut: Site) -> None:
    async def no_token(_repository_id: int, _fresh: bool) -> Credentials:
        raise OriginUnavailable("GitHub gave no token now", "")

    cut.worktrees = replace(cut.worktrees, login=no_token)
    for said, told in (
        (ForgeUnavailable("GitHub answered 502: bad gateway"), "502"),
        (PLAIN_404, "404"),
    ):
        services = services_of(cut, said)
        with pytest.raises(ForgeUnavailable, match=told):
            await branch_point.merge_base(services, WHERE, "a" * 40, "b" * 40)
        with pytest.raises(ForgeUnavailable, match=told):
            await branch_point.is_ancestor(services, WHERE, "a" * 40, "b" * 40)
