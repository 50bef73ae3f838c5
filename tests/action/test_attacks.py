"""What an attack on the Action had left open: strangers, caps without a state, two workflows, a job on its own."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.action.state import money
from claude_pool_gh.action.state.money import Entry
from claude_pool_gh.action.state.ref import Ref
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.worktrees.git import Credentials
from tests.action.conftest import STATES, WRITE, Stage
from tests.action.runner import Running
from tests.action.test_dry_run import sender
from tests.patience import PATIENCE

KEEPING = WRITE | {"contents": "write"}


def ref_of(scene: Stage, folder: Path, name: str) -> Ref:
    token = scene.github.create_token(scene.github.actions_bot, scene.repository, KEEPING)
    return Ref(folder, Credentials(token, f"{scene.github.url}/octo/shop.git"), name)


async def held(scene: Stage, folder: Path) -> None:
    """Let another job hold the thread, for longer than any test lasts."""
    ref = ref_of(scene, folder, f"refs/claude-pool/threads/{scene.pull.number}")
    await ref.open()
    await ref.read()
    header = {
        "repository": scene.repository.id,
        "thread": scene.pull.number,
        "run": "A.1",
        "until_ms": int(time.time() * 1000) + 80_000,
    }
    await ref.write(STATES.signed(ref.name, json.dumps(header).encode() + b"\n"))


async def test_a_stranger_is_refused_at_once_while_another_job_holds_the_thread(
    scene: Stage, tmp_path: Path
) -> None:
    stranger = scene.github.create_user("stranger")
    await held(scene, tmp_path / "ref")
    event = await scene.comment("/pool review", by=stranger)
    for _ in range(2):
        done = await scene.job("issue_comment", event, permissions=KEEPING)
        assert (done.red, done.outputs["outcome"], scene.paid) == (False, "refused", 0), done.log
        assert "waiting for the job" not in done.log
    (refusal,) = scene.comments
    assert "write" in refusal.body


async def test_somebody_who_may_command_waits_for_it(scene: Stage, tmp_path: Path) -> None:
    """The negative control."""
    await held(scene, tmp_path / "ref")

    async def cancel(running: Running) -> None:
        await scene.github.until(lambda: _waits(scene), timeout=PATIENCE)
        await running.cancel()

    done = await scene.say("/pool help", permissions=KEEPING, during={"run": cancel})
    assert "waiting for the job" in done.log
    assert scene.comments == []


def _waits(scene: Stage) -> bool:
    return sum("git-upload-pack" in each.path for each in scene.github.requests) > 2


async def test_what_other_threads_have_spent_counts_for_a_job_that_may_not_push(
    scene: Stage, tmp_path: Path
) -> None:
    cap = "budget:\n  repository_month: 3.0\n"
    scene.repository.commit("main", {".github/claude-pool.yml": cap}, author=scene.maintainer)
    ledger = ref_of(scene, tmp_path / "ledger", money.NAME)
    await ledger.open()
    entry = Entry(
        id="c1",
        thread=f"{scene.repository.id}:77",
        user="5",
        repository=str(scene.repository.id),
        amount=2_900_000,
        created_ms=money.month_start_ms() + 1,
    )
    await ledger.write(money.lines({"c1": entry}))
    done = await scene.say("/pool review")
    assert (done.outputs["outcome"], scene.paid) == ("refused", 0), done.log
    assert "the cap per repository and month of $3.00 has $0.10 left" in scene.comments[-1].body


@pytest.mark.rotating(4)
async def test_the_comment_of_a_job_that_may_not_push_says_that_it_is_alone(scene: Stage) -> None:
    done = await scene.say("/pool review")
    assert done.outputs["outcome"] == "clean", done.log
    (tracking,) = [each for each in scene.comments if "`/pool help`</sub>" in each.body]
    last = tracking.body.partition("<!--")[0].strip().split("\n")[-1]
    assert "This job knows nothing of earlier ones" in last
    assert "its token may not push" in last
    assert "`contents: write`" in last
    again = await scene.say("/pool review", permissions=KEEPING)
    assert again.outputs["outcome"] == "clean", again.log
    newest = [each for each in scene.comments if "`/pool help`</sub>" in each.body][-1]
    assert "knows nothing of earlier" not in newest.body, "the control"


def opened(scene: Stage, event: dict[str, Any]) -> dict[str, Any]:
    pull = {
        "number": scene.pull.number,
        "head": {"sha": scene.pull.head_sha},
        "base": {"ref": "main"},
        "draft": False,
        "updated_at": "2026-01-01T00:00:00Z",
    }
    return {
        "action": "opened",
        "repository": event["repository"],
        "sender": sender(scene),
        "pull_request": pull,
    }


@pytest.mark.rotating(4)
async def test_an_automatic_review_of_what_a_person_has_had_reviewed_does_nothing(
    scene: Stage,
) -> None:
    scene.model.script = Reviewer(quick=True)
    event = await scene.comment("/pool review")
    assert not (await scene.job("issue_comment", event, permissions=KEEPING)).red
    paid = scene.paid
    inputs = {"command": "/pool review"}
    for permissions in (KEEPING, WRITE):
        done = await scene.job(
            "pull_request", opened(scene, event), permissions=permissions, inputs=inputs
        )
        assert (done.red, done.outputs["outcome"], scene.paid) == (False, "nothing", paid), done.log
        assert "another job has taken this command" in done.summary
    again = {"GITHUB_RUN_ATTEMPT": "2"}
    done = await scene.job(
        "pull_request", opened(scene, event), permissions=KEEPING, inputs=inputs, environment=again
    )
    assert (done.outputs["outcome"], scene.paid > paid) == ("clean", True), (
        "who runs the job again means it"
    )
