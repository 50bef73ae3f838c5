"""A token that GitHub no longer knows costs a fetch one more try, not the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.github import Installation, Repository, SimulatedGitHub
from claude_pool_gh.worktrees.errors import LoginRefused
from claude_pool_gh.worktrees.git import Credentials
from claude_pool_gh.worktrees.leases import Worktrees


class Tokens:
    """Gives the same token for ever, or a new one whenever it is told that the last was refused."""

    def __init__(self, widgets: Repository, first: str, new: str) -> None:
        self.widgets, self.token, self.new = widgets, first, new
        self.asked: list[bool] = []

    async def __call__(self, _repository_id: int, fresh: bool) -> Credentials:
        self.asked.append(fresh)
        self.token = self.new if fresh else self.token
        return Credentials(self.token, self.widgets.clone_url)


async def test_a_fetch_asks_once_for_a_fresh_token(
    tmp_path: Path, github: SimulatedGitHub, widgets: Repository, installation: Installation
) -> None:
    tokens = Tokens(widgets, "ghs_ended", github.create_installation_token(installation))
    trees = Worktrees(tmp_path / "state", tokens, tries=1)
    await trees.fetch(widgets.id, [widgets.head()], ["refs/heads/main"])
    assert await trees.mirror(widgets.id).has(widgets.head())
    assert tokens.asked == [False, True]


async def test_a_fresh_token_that_is_refused_too_is_told_as_that(
    tmp_path: Path, widgets: Repository
) -> None:
    tokens = Tokens(widgets, "ghs_ended", "ghs_wrong")
    trees = Worktrees(tmp_path / "state", tokens, tries=1)
    with pytest.raises(LoginRefused, match="did not take this bot's token"):
        await trees.fetch(widgets.id, [widgets.head()], ["refs/heads/main"])
    assert tokens.asked == [False, True]


async def test_an_origin_that_cannot_be_reached_is_no_reason_for_a_fresh_token(
    tmp_path: Path, widgets: Repository
) -> None:
    tokens = Tokens(widgets, "ghs_any", "ghs_new")
    widgets_elsewhere = Credentials("ghs_any", "http://127.0.0.1:9/octo/widgets.git")

    async def elsewhere(repository_id: int, fresh: bool) -> Credentials:
        await tokens(repository_id, fresh)
        return widgets_elsewhere

    trees = Worktrees(tmp_path / "state", elsewhere, tries=1)
    with pytest.raises(Exception, match="could not be reached"):
        await trees.fetch(widgets.id, [widgets.head()], ["refs/heads/main"])
    assert tokens.asked == [False]
