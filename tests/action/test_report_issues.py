"""A job that waits for its report issue: it ends when it is told to, and is red where the issue should be there."""

from __future__ import annotations

import pytest

from claude_pool_gh.config.load import PATH
from claude_pool_gh.rehearsal.github.web.faults import Fault, Respond, Stall
from tests.action.conftest import Stage
from tests.action.runner import Done, During, Running
from tests.action.test_audit_jobs import KEEPING
from tests.patience import PATIENCE

ISSUES = "/repos/{owner}/{repo}/issues"
ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"


async def night(scene: Stage, during: During | None = None) -> Done:
    return await scene.job(
        "schedule",
        {"schedule": "17 3 * * *"},
        permissions=KEEPING,
        inputs={"command": "/pool audit defects"},
        during=None if during is None else {"run": during},
    )


@pytest.mark.rotating(4)
async def test_a_cancel_is_heard_while_github_has_not_opened_the_report_issue(
    scene: Stage,
) -> None:
    stalled = scene.github.faults.add(Fault(Stall(30), method="POST", route=ISSUES))

    async def cancel(running: Running) -> None:
        await scene.github.until(lambda: stalled.hits > 0, timeout=PATIENCE)
        await running.cancel()

    done = await night(scene, cancel)
    assert done.outputs["outcome"] == "cancelled", done.log
    assert done.steps["run"].code == 1, "the process was killed before it could end by itself"
    assert "Nothing was run" in done.errors[0]
    assert scene.paid == 0


@pytest.mark.rotating(4)
async def test_a_job_whose_report_issue_cannot_be_read_is_red_and_has_spent_nothing(
    scene: Stage,
) -> None:
    scene.github.faults.add(Fault(Respond(502), method="GET", route=ISSUE, times=1_000))
    done = await night(scene)
    assert (done.red, done.outputs["outcome"], scene.paid) == (True, "failed", 0), done.log
    assert "could not be read" in done.errors[0]


@pytest.mark.rotating(4)
async def test_an_audit_of_a_faulty_configuration_is_red_before_anything_is_begun(
    scene: Stage,
) -> None:
    """It may be one of the names that cannot be read: no other audit's issue is opened in its place."""
    faulty = "audits:\n  nightly:\n    kind: defects\n    byy: folder\n"
    scene.repository.commit("main", {PATH: faulty}, author=scene.maintainer)
    threads = len(scene.repository.state.threads)
    done = await scene.job(
        "schedule",
        {"schedule": "17 3 * * *"},
        permissions=KEEPING,
        inputs={"command": "/pool audit nightly"},
    )
    assert (done.red, done.outputs["outcome"], scene.paid) == (True, "misconfigured", 0), done.log
    assert f"{PATH}, line 4: " in done.errors[0]
    assert len(scene.repository.state.threads) == threads
    assert not scene.repository.git.refs("refs/claude-pool/")
