"""The step that installs, really: from the package index, into a folder of the job's own."""

from __future__ import annotations

import os

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import Stage

PASSED_ON = (
    "PIP_",
    "UV_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT",
    "REQUESTS_CA",
)
"""How this machine reaches a package index."""


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_job_on_a_fresh_machine_installs_and_reviews(scene: Stage) -> None:
    scene.model.script = Reviewer(stage.PLANTED)
    reaching = {
        name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)
    }
    done = await scene.say("/pool review", environment=reaching, really_install=True)
    if done.steps["install"].code != 0 and "No matching distribution" in done.steps["install"].log:
        pytest.skip("there is no package index here")
    assert not done.red, done.log
    assert done.outputs["outcome"] == "findings"
    assert len(scene.pull.reviews[0].comments) == 2
