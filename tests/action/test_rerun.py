"""A job that is run again on GitHub's page: what came to nothing is done, and nothing is done twice."""

from __future__ import annotations

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import WRITE, Stage

KEEPING = WRITE | {"contents": "write"}


async def test_a_job_that_is_run_again_does_what_the_red_one_did_not(scene: Stage) -> None:
    scene.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
    event = await scene.comment("/pool review")
    first = await scene.job("issue_comment", event, permissions=KEEPING, agent="failed")
    assert (first.red, scene.paid) == (True, 0)
    second = {"GITHUB_RUN_ATTEMPT": "2"}
    again = await scene.job("issue_comment", event, permissions=KEEPING, environment=second)
    assert (again.red, again.outputs["outcome"], len(scene.pull.reviews)) == (
        False,
        "findings",
        1,
    ), again.log
    paid = scene.paid
    third = await scene.job(
        "issue_comment", event, permissions=KEEPING, environment={"GITHUB_RUN_ATTEMPT": "3"}
    )
    assert (third.red, third.outputs["outcome"], scene.paid) == (False, "findings", paid), (
        "the control"
    )
    assert len(scene.pull.reviews) == 1
