"""Ends that a job does not choose: nothing is left that says "running", and no model is paid on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import WRITE, Stage
from tests.action.runner import Done, During, Running
from tests.patience import PATIENCE


def once_paid(scene: Stage, act: During) -> During:
    """Do something when the model has been asked and the check stands."""

    async def during(running: Running) -> None:
        def busy() -> bool:
            runs = scene.repository.check_runs(scene.pull.head_sha)
            return scene.paid > 0 and any(run.status == "in_progress" for run in runs)

        await scene.github.until(busy, timeout=PATIENCE)
        await act(running)

    return during


def ended(scene: Stage, done: Done) -> None:
    """Comment, check and output say that it is over."""
    assert done.outputs["outcome"] == "cancelled", done.log
    (tracking,) = scene.comments
    assert "ancelled" in tracking.body.split("\n")[0], tracking.body
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert (check.status, check.conclusion) == ("completed", "cancelled")
    assert "Traceback" not in done.log


async def test_a_cancelled_job_says_so_in_the_runners_grace(scene: Stage) -> None:
    took: list[float] = []

    async def cancel(running: Running) -> None:
        began = time.monotonic()
        await running.cancel()
        took.append(time.monotonic() - began)

    scene.model.script = Reviewer(pace=0.5)
    done = await scene.say("/pool review", during={"run": once_paid(scene, cancel)})
    ended(scene, done)
    assert done.steps["run"].code == 1, "the process was killed before it could end by itself"
    paid = scene.paid
    await asyncio.sleep(1)
    assert scene.paid == paid
    assert float(done.outputs["cost_usd"]) > 0
    assert "The job was cancelled" in done.errors[0]


@pytest.mark.long
async def test_a_job_that_is_killed_is_tidied_up_by_the_last_step(scene: Stage) -> None:
    async def kill(running: Running) -> None:
        running.kill()

    scene.model.script = Reviewer(pace=0.5)
    done = await scene.say("/pool review", during={"run": once_paid(scene, kill)})
    assert done.steps["run"].code == -9
    ended(scene, done)
    assert len(scene.comments) == 1


@pytest.mark.long
async def test_the_jobs_own_deadline_ends_it(scene: Stage) -> None:
    scene.model.script = Reviewer(pace=5.0)
    done = await scene.say("/pool review", environment={"POOL_DEADLINE_SECONDS": "4"})
    assert done.outputs["outcome"] == "cancelled", done.log
    assert "deadline" in done.errors[0]
    for check in scene.repository.check_runs(scene.pull.head_sha):
        assert check.conclusion == "cancelled"


@pytest.mark.long
async def test_a_cancel_before_the_run_begins_is_said(scene: Stage) -> None:
    event = await scene.comment("/pool review")
    before = scene.asked

    async def cancel(running: Running) -> None:
        await scene.github.until(lambda: scene.asked > before, timeout=PATIENCE)
        await running.cancel()

    done = await scene.job("issue_comment", event, during={"run": cancel})
    assert done.red
    assert "Traceback" not in done.log
    assert scene.paid == 0


@pytest.mark.long
async def test_a_cancelled_job_that_keeps_its_state_has_the_time_for_that_too(scene: Stage) -> None:
    async def cancel(running: Running) -> None:
        await running.cancel()

    scene.model.script = Reviewer(pace=0.5)
    keeping = WRITE | {"contents": "write"}
    done = await scene.say(
        "/pool review", permissions=keeping, during={"run": once_paid(scene, cancel)}
    )
    ended(scene, done)
    assert done.steps["run"].code == 1, "the process was killed before it could end by itself"
    again = await scene.say("/pool help", permissions=keeping)
    assert again.outputs["outcome"] == "answered"
    assert "waiting for the job" not in again.log, "the thread was given back"


@pytest.mark.long
async def test_an_error_of_our_own_is_tidied_up_and_its_cost_is_told(scene: Stage) -> None:
    """A table is away for a moment: the run ends with an error that nobody has foreseen."""

    async def crash(running: Running) -> None:
        (file,) = scene.runner.folder.glob("*/temp/claude-pool-state/pool.sqlite")
        with closing(sqlite3.connect(file, isolation_level=None, timeout=30)) as rows:
            rows.execute("ALTER TABLE commands RENAME TO away")
            await running.process.wait()
            rows.execute("ALTER TABLE away RENAME TO commands")

    scene.model.script = Reviewer(pace=0.5)
    keeping = WRITE | {"contents": "write"}
    done = await scene.say(
        "/pool review", permissions=keeping, during={"run": once_paid(scene, crash)}
    )
    assert done.steps["run"].code == 1
    assert "An error on claude-pool's own side" in done.errors[0]
    assert done.outputs["outcome"] == "failed", done.log
    assert float(done.outputs["cost_usd"]) >= scene.paid / 1e6 > 0
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert (check.status, check.conclusion) == ("completed", "cancelled")
    assert "Traceback" not in done.log
    again = await scene.say("/pool help", permissions=keeping)
    assert again.outputs["outcome"] == "answered"
    assert "waiting for the job" not in again.log, "the thread was given back"
