"""A dry run: whoever may not even write sees what would happen, and nothing of it happens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_pool_gh.rehearsal.example import FILE, TITLE
from tests.action.conftest import Stage
from tests.action.runner import Done

READ_ONLY = {"contents": "read", "issues": "read", "pull_requests": "read", "metadata": "read"}
BARE = {"anthropic_api_key": ""}
"""What the first workflow gives where there is no secret."""
TRIAL = BARE | {"dry_run": "true", "command": "/pool review"}


async def pull_event(scene: Stage) -> dict[str, Any]:
    """The event of the pull request that adds the workflow."""
    comment = await scene.comment("words")
    pull = {
        "number": scene.pull.number,
        "head": {"sha": scene.pull.head_sha, "repo": {"fork": True}},
        "base": {"ref": "main"},
        "draft": False,
        "updated_at": "2026-01-01T00:00:00Z",
    }
    return {"action": "opened", "repository": comment["repository"], "pull_request": pull}


def sender(scene: Stage) -> dict[str, Any]:
    return {"id": scene.maintainer.id, "login": scene.maintainer.login, "type": "User"}


def rehearsed(scene: Stage, done: Done) -> None:
    """Everything is shown on the job's page, and no real model was asked."""
    assert (done.red, done.outputs["outcome"]) == (False, "findings"), done.log
    assert (scene.paid, scene.asked > 0) == (0, True)
    assert "**This is a rehearsal** of `/pool review`" in done.summary
    assert TITLE in done.summary
    assert done.outputs["cost_usd"] == "0.000000"
    result = json.loads(done.outputs["result"])
    assert (result["dry_run"], result["commands"][0]["findings"], result["cost"]) == (True, 1, 0)
    assert scene.pull.reviews == []
    assert scene.repository.check_runs(scene.pull.head_sha) == []
    assert scene.repository.statuses(scene.pull.head_sha) == []
    refs = scene.repository.git.run("for-each-ref", "refs/claude-pool").decode()
    assert refs == "", "nothing is kept"


async def test_a_forks_read_only_token_without_a_secret_shows_it_on_the_jobs_page(
    scene: Stage,
) -> None:
    stranger = scene.github.create_user("stranger")
    event = await pull_event(scene) | {
        "sender": {"id": stranger.id, "login": "stranger", "type": "User"}
    }
    done = await scene.job("pull_request", event, permissions=READ_ONLY, inputs=BARE)
    rehearsed(scene, done)
    assert scene.comments == []
    assert "this is a dry run of `/pool review`, as for each event `pull_request`" in done.log


@pytest.mark.rotating(4)
async def test_a_token_that_may_comment_shows_it_in_one_comment_of_the_thread(scene: Stage) -> None:
    bot = scene.github.create_user("dependabot[bot]")
    event = await pull_event(scene) | {"sender": {"id": bot.id, "login": bot.login, "type": "Bot"}}
    permissions = READ_ONLY | {"pull_requests": "write", "contents": "write", "checks": "write"}
    for _ in range(2):
        done = await scene.job("pull_request", event, permissions=permissions, inputs=TRIAL)
        rehearsed(scene, done)
        assert "as for each event" not in done.log, "the workflow has asked for it"
    (comment,) = scene.comments
    assert comment.body.startswith("**This is a rehearsal** of `/pool review`. No model was asked")
    assert TITLE in comment.body


@pytest.mark.rotating(4)
async def test_a_fix_is_shown_up_to_the_approval_that_it_would_wait_for(scene: Stage) -> None:
    before = scene.pull.head_sha
    inputs = TRIAL | {"command": "/pool fix the discount must count from ten pieces"}
    event = await pull_event(scene) | {"sender": sender(scene)}
    done = await scene.job("pull_request", event, permissions=READ_ONLY, inputs=inputs)
    assert (done.red, done.outputs["outcome"]) == (False, "awaiting_approval"), done.log
    assert FILE in done.summary
    assert (scene.paid, scene.pull.head_sha) == (0, before)


async def test_without_the_input_the_same_job_is_told_what_it_lacks(scene: Stage) -> None:
    """The negative control."""
    event = await pull_event(scene) | {"sender": sender(scene)}
    inputs = TRIAL | {"dry_run": "false"}
    done = await scene.job("pull_request", event, permissions=READ_ONLY, inputs=inputs)
    assert done.outputs["outcome"] == "misconfigured"
    assert "anthropic_api_key: it is empty" in done.errors[0]
