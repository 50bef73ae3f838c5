"""kill -9 around an approval and its push: the branch gets exactly one commit, the issue exactly one pull request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.github import Moment
from tests.acceptance.colleague import Colleague
from tests.acceptance.world import World, world

PUSH = "/{owner}/{repo}.git/git-receive-pack"
REACT = "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"
POINTS = {
    "the approval has come in": ("POST", REACT, "before"),
    "git is about to push": ("POST", PUSH, "before"),
    "git has pushed": ("POST", PUSH, "after"),
}


async def _die_at(here: World, point: tuple[str, str, str]) -> list[str]:
    """Let the server die once at a request; says when it has."""
    died: list[str] = []
    method, route, phase = point

    async def reap(moment: Moment) -> None:
        here_it_is = (
            moment.method == method and str(moment.route) == route and moment.phase == phase
        )
        if here_it_is and not died and (not route.endswith("/reactions") or b"+1" in moment.body):
            died.append(route)
            await here.bot.kill()

    here.github.on_request(reap)
    return died


@pytest.mark.parametrize(
    "point", [pytest.param(next(iter(POINTS)), marks=pytest.mark.long), *list(POINTS)[1:]]
)
async def test_a_fix_is_pushed_once_wherever_the_server_dies(tmp_path: Path, point: str) -> None:
    async with world(tmp_path) as here:
        here.model.script = Colleague()
        before = here.pull.head_sha
        await here.say("/pool fix the boundary")
        shown = await here.shows("fix", "AWAITING APPROVAL")
        (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
        died = await _die_at(here, POINTS[point])
        await here.say(f"/pool approve {gate}")
        await here.until(lambda: died)
        await here.bot.ended()
        await here.bot.start()
        await here.shows("fix", "### ✅ Pushed")
        log = here.repository.git.text("log", "--format=%H %s", f"{before}..feature").splitlines()
        assert len(log) == 1, log
        assert log[0].endswith("Fix: the boundary")
        assert here.ledger == here.model.bill.total, "the agent did not run again"


@pytest.mark.parametrize("phase", [pytest.param("before", marks=pytest.mark.long), "after"])
async def test_a_pull_request_is_opened_once_wherever_the_server_dies(
    tmp_path: Path, phase: str
) -> None:
    async with world(tmp_path) as here:
        here.model.script = Colleague()
        issue = here.repository.open_issue("Gifts", "We want gifts.", here.maintainer)
        await here.say("/pool implement", number=issue.number)
        shown = await here.shows("implement", "AWAITING APPROVAL", issue.number)
        (gate,) = re.findall(r"/pool approve ([0-9a-f]{10})\n", shown)
        died = await _die_at(here, ("POST", "/repos/{owner}/{repo}/pulls", phase))
        await here.say(f"/pool approve {gate}", number=issue.number)
        await here.until(lambda: died)
        await here.bot.ended()
        await here.bot.start()
        await here.shows("implement", "### ✅ Pull request #", issue.number)
        assert (
            len([pull for pull in here.repository.pulls if pull.author.id == here.app.bot.id]) == 1
        )
        assert len(here.repository.git.refs("refs/heads/pool/")) == 1
