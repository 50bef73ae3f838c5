"""What a job does for people who have a workflow, a secret, and no configuration file."""

from __future__ import annotations

import json

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import Stage
from tests.action.runner import obeyed


async def test_a_job_reviews_with_the_same_comment_review_and_check(scene: Stage) -> None:
    scene.model.script = Reviewer(stage.PLANTED)
    done = await scene.say("Thanks!\n\n/pool review", really_start=True)
    assert not done.red, done.log
    assert done.outputs["outcome"] == "findings"
    assert float(done.outputs["cost_usd"]) == pytest.approx(scene.paid / 1e6)
    assert done.outputs["findings"] == "2"
    result = json.loads(done.outputs["result"])
    assert result["commands"][0]["line"] == "/pool review"
    assert done.outputs["chain_id"] == result["commands"][0]["chain_id"]
    (tracking,) = scene.comments
    assert tracking.body.startswith("### 🔎 2 findings (worst: critical) in 2 files read; 1 claim")
    assert "⚠️" not in tracking.body
    (review,) = scene.pull.reviews
    assert len(review.comments) == 2
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert (check.status, check.conclusion) == ("completed", "neutral")
    assert "2 findings (worst: critical)" in done.summary
    assert review.comments[0].body.split("\n")[0] in done.summary
    assert done.errors == []
    assert "Traceback" not in done.log
    assert list(scene.runner.folder.rglob("mirrors/*.git/shallow")), "no history is fetched"
    assert obeyed(done.log) == [("group", "Log of the run"), ("endgroup", "")]
