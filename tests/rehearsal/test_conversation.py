"""Comments, reactions, labels and issues, through gidgethub."""

from __future__ import annotations

import gidgethub
import pytest

from claude_pool_gh.rehearsal.github import Installation, Repository, SimulatedGitHub
from tests.rehearsal.world import Bot, Hooks

R = "/repos/octo/widgets"


async def test_a_comment_reaches_the_bot_signed_and_with_the_pull_request_key(
    github: SimulatedGitHub, widgets: Repository, installation: Installation, hooks: Hooks
) -> None:
    mona = github.create_user("mona")
    widgets.grant(mona, "write")
    widgets.commit("feature", {"b.py": "b = 1\n"}, author=mona)
    pull = widgets.open_pull("feature", title="Add b", author=mona)
    issue = widgets.open_issue("A question", "How?", mona)
    await github.settle()
    await github.comment(mona, widgets, pull.number, "/pool review")
    await github.comment(mona, widgets, issue.number, "/pool triage")
    on_pull, on_issue = (one.data for one in hooks.events[-2:])
    assert (pull.number, issue.number) == (1, 2)
    assert on_pull["comment"]["body"] == "/pool review"
    assert on_pull["issue"]["pull_request"]["url"].startswith(github.api_url)
    assert "pull_request" not in on_issue["issue"]
    assert on_pull["installation"]["id"] == installation.id
    assert on_pull["sender"]["id"] == mona.id


async def test_comments_are_made_edited_listed_in_pages_and_deleted(
    github: SimulatedGitHub, widgets: Repository, bot: Bot, hooks: Hooks
) -> None:
    issue = widgets.open_issue("Many")
    for number in range(35):
        await bot.api.post(f"{R}/issues/{issue.number}/comments", data={"body": f"number {number}"})
    found = [one async for one in bot.api.getiter(f"{R}/issues/{issue.number}/comments")]
    assert [one["body"] for one in found] == [f"number {number}" for number in range(35)]
    assert found[0]["user"]["login"] == "claude-pool[bot]"
    assert found[0]["user"]["type"] == "Bot"
    first = found[0]["id"]
    await bot.api.patch(f"{R}/issues/comments/{first}", data={"body": "changed"})
    assert (await bot.api.getitem(f"{R}/issues/comments/{first}"))["body"] == "changed"
    await bot.api.delete(f"{R}/issues/comments/{first}")
    with pytest.raises(gidgethub.BadRequest) as refused:
        await bot.api.getitem(f"{R}/issues/comments/{first}")
    assert refused.value.status_code == 404
    assert len(widgets.comments(issue.number)) == 34
    await github.settle()
    assert {"issue_comment.edited", "issue_comment.deleted"} <= set(hooks.names())


async def test_a_reaction_stands_once(
    widgets: Repository, bot: Bot, github: SimulatedGitHub
) -> None:
    issue = widgets.open_issue("React")
    comment = await github.comment(github.create_user("mona"), widgets, issue.number, "hello")
    for path in (
        f"{R}/issues/comments/{comment.id}/reactions",
        f"{R}/issues/{issue.number}/reactions",
    ):
        first, _, _ = await bot.raw("POST", path, json={"content": "eyes"})
        again, _, _ = await bot.raw("POST", path, json={"content": "eyes"})
        assert (first, again) == (201, 200)
        (reaction,) = [one async for one in bot.api.getiter(path)]
        await bot.api.delete(f"{path}/{reaction['id']}")
        assert [one async for one in bot.api.getiter(path)] == []


async def test_labels_come_and_go(widgets: Repository, bot: Bot) -> None:
    issue = widgets.open_issue("Label me")
    await bot.api.post(f"{R}/labels", data={"name": "kind: bug", "color": "ff0000"})
    await bot.api.post(f"{R}/issues/{issue.number}/labels", data={"labels": ["kind: bug", "new"]})
    assert [one["name"] async for one in bot.api.getiter(f"{R}/labels")] == ["kind: bug", "new"]
    await bot.api.delete(f"{R}/issues/{issue.number}/labels/kind%3A%20bug")
    assert [one.name for one in issue.labels] == ["new"]


@pytest.mark.usefixtures("widgets")
async def test_issues_are_opened_found_and_closed(bot: Bot) -> None:
    made = await bot.api.post(
        f"{R}/issues", data={"title": "Report", "body": "b", "labels": ["audit"]}
    )
    await bot.api.patch(
        f"{R}/issues/{made['number']}", data={"body": "new body", "state": "closed"}
    )
    found = [one async for one in bot.api.getiter(f"{R}/issues?state=all&labels=audit")]
    assert [(one["state"], one["body"]) for one in found] == [("closed", "new body")]
    assert (await bot.api.getitem(f"{R}/issues/{made['number']}"))["state_reason"] == "completed"


async def test_too_long_a_body_is_refused(widgets: Repository, bot: Bot) -> None:
    issue = widgets.open_issue("Long")
    with pytest.raises(gidgethub.ValidationError):
        await bot.api.post(f"{R}/issues/{issue.number}/comments", data={"body": "x" * 65_537})
    await bot.api.post(f"{R}/issues/{issue.number}/comments", data={"body": "x" * 65_536})
    assert len(widgets.comments(issue.number)) == 1
