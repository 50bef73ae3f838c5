"""Jobs on fresh machines that know of each other what a server would know: nothing but refs of the repository."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.action.state.ref import Ref, Stale
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.github import Moment
from claude_pool_gh.rehearsal.reviewer import Reviewer
from claude_pool_gh.worktrees.git import Credentials
from tests.acceptance.colleague import Colleague
from tests.action.conftest import STATES, WRITE, Stage
from tests.action.runner import Done, Running
from tests.patience import PATIENCE

KEEPING = WRITE | {"contents": "write"}


async def green(scene: Stage, line: str, outcome: str) -> Done:
    done = await scene.say(line, permissions=KEEPING)
    assert (done.red, done.outputs["outcome"]) == (False, outcome), done.log
    return done


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_review_fix_reject_approve_and_push_over_fresh_jobs(scene: Stage) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    before = scene.pull.head_sha

    first = await green(scene, "/pool review", "findings")
    assert (first.outputs["findings"], len(scene.pull.reviews)) == ("2", 1)
    paid = scene.paid

    asked = await green(
        scene, "/pool fix the discount must count from ten pieces", "awaiting_approval"
    )
    gate = asked.outputs["approval_pending"]
    assert len(gate) == 10
    assert float(asked.outputs["cost_usd"]) == pytest.approx((scene.paid - paid) / 1e6)

    again = await green(scene, f"/pool reject {gate} say it in the constant", "done")
    assert scene.pull.head_sha == before, "nothing is pushed before somebody says so"
    shown = next(
        each.body
        for each in scene.comments
        if "/pool approve" in each.body and "### ⏸" in each.body
    )
    assert "the CI of the pull request waits for *Approve and run*" in shown
    newer = shown.partition("/pool approve ")[2][:10]
    assert newer != gate
    assert float(again.outputs["cost_usd"]) > 0

    await green(scene, f"/pool approve {newer}", "done")
    assert scene.pull.head_sha != before
    assert (
        "if quantity >= BULK_FROM:"
        in scene.repository.read(scene.pull.head_ref, "shop/prices.py").decode()
    )
    tracking = [each for each in scene.comments if "`/pool help`</sub>" in each.body]
    assert len(tracking) == 2, "one comment of the review, one of the fix"
    assert len(scene.pull.reviews) == 1


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_second_review_repeats_nothing_and_costs_add_up(scene: Stage) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    await green(scene, "/pool review", "findings")
    await green(scene, "/pool review", "findings")
    assert len([each for review in scene.pull.reviews for each in review.comments]) == 2
    await green(scene, "/pool cost", "answered")
    assert f"${scene.paid / 1e6:.2f}" in scene.comments[-1].body


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_a_lost_job_began_is_ended_by_the_next_without_a_second_of_anything(
    scene: Stage,
) -> None:
    """Killed so hard that its last step does not run either."""
    scene.model.script = Colleague(planted=stage.PLANTED)

    async def vanish(running: Running) -> None:
        await scene.github.until(lambda: scene.paid > 0, timeout=PATIENCE)
        running.kill()

    lost = await scene.say("/pool review", permissions=KEEPING, during={"run": vanish}, vanish=True)
    assert lost.steps["after"].code is None
    await green(scene, "/pool status", "answered")
    tracking = [each for each in scene.comments if "`/pool help`</sub>" in each.body]
    assert len(tracking) == 1
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.status == "completed"
    assert len(scene.pull.reviews) == 1


@pytest.mark.long
async def test_without_the_permission_nothing_is_begun_that_would_have_to_wait(
    scene: Stage,
) -> None:
    done = await scene.say("/pool fix the discount must count from ten pieces")
    assert (done.red, done.outputs["outcome"], scene.paid) == (False, "refused", 0)
    assert "add `contents: write`" in scene.comments[-1].body


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_two_jobs_at_once_make_one_of_everything(scene: Stage) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    first, second = await scene.comment("/pool review"), await scene.comment("/pool help")
    both = await asyncio.gather(
        scene.job("issue_comment", first, permissions=KEEPING),
        scene.job(
            "issue_comment", second, permissions=KEEPING, environment={"GITHUB_RUN_ID": "4712"}
        ),
    )
    assert [done.red for done in both] == [False, False], "\n".join(done.log for done in both)
    assert {done.outputs["outcome"] for done in both} == {"findings", "answered"}
    assert len(scene.pull.reviews) == 1


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_cancel_that_comes_meanwhile_is_heard_by_the_job_that_runs(scene: Stage) -> None:
    scene.model.script = Reviewer(pace=2 * PATIENCE)
    event = await scene.comment("/pool review")

    async def say_cancel(_: Running) -> None:
        await scene.github.until(lambda: len(scene.model.requests) > 0, timeout=PATIENCE)
        await scene.comment("/pool cancel")
        check = scene.repository.check_runs(scene.pull.head_sha)[0]
        await scene.github.until(lambda: check.conclusion == "cancelled", timeout=PATIENCE)

    done = await scene.job("issue_comment", event, permissions=KEEPING, during={"run": say_cancel})
    assert (done.red, done.outputs["outcome"]) == (False, "cancelled"), done.log


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_job_that_is_killed_gives_the_thread_back_in_its_last_step(scene: Stage) -> None:
    scene.model.script = Reviewer(pace=0.5)

    async def kill(running: Running) -> None:
        await scene.github.until(lambda: scene.paid > 0, timeout=PATIENCE)
        running.kill()

    killed = await scene.say("/pool review", permissions=KEEPING, during={"run": kill})
    assert killed.outputs["outcome"] == "cancelled", killed.log
    began = time.monotonic()
    await green(scene, "/pool help", "answered")
    assert time.monotonic() - began < 80, "it waited for a job that is dead"
    assert len([each for each in scene.comments if "`/pool help`</sub>" in each.body]) == 1


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_the_caps_of_the_month_hold_over_the_jobs_of_all_threads(scene: Stage) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    cap = "budget:\n  repository_month: 3.0\n"
    scene.repository.commit("main", {".github/claude-pool.yml": cap}, author=scene.maintainer)
    issue = scene.repository.open_issue("Discount?", "From ten pieces.", author=scene.maintainer)
    await green(scene, "/pool review", "findings")
    inputs = {"command": "/pool ask what does it do", "number": str(issue.number)}
    event = {"schedule": "0 3 * * *"}
    paid = scene.paid
    done = await scene.job("schedule", event, inputs=inputs, permissions=KEEPING)
    assert (done.outputs["outcome"], scene.paid) == ("refused", paid), done.log
    said = scene.repository.comments(issue.number)[-1].body
    assert f"the cap per repository and month of $3.00 has ${3 - paid / 1e6:.2f} left" in said


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("pushes", [1, 2, 3, 4])
async def test_a_job_that_is_lost_after_any_of_its_pushes_leaves_nothing_twice(
    scene: Stage, pushes: int
) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    made: list[Moment] = []

    async def count(moment: Moment) -> None:
        if (
            moment.phase == "after"
            and moment.method == "POST"
            and moment.path.endswith("git-receive-pack")
        ):
            made.append(moment)

    scene.github.on_request(count)

    async def vanish(running: Running) -> None:
        await scene.github.until(lambda: len(made) >= pushes, timeout=PATIENCE)
        running.kill()

    await scene.say("/pool review", permissions=KEEPING, during={"run": vanish}, vanish=True)
    await green(scene, "/pool help", "answered")
    tracking = [each for each in scene.comments if "`/pool help`</sub>" in each.body]
    assert (
        len(tracking)
        == len(scene.pull.reviews)
        == len(scene.repository.check_runs(scene.pull.head_sha))
    )
    assert len(tracking) == (0 if pushes == 1 else 1), (
        "before the command is kept, it is as if it never came"
    )


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_the_state_of_a_thread_that_was_closed_long_ago_is_deleted(scene: Stage) -> None:
    old, new = (scene.repository.open_issue("Old", "", author=scene.maintainer) for _ in range(2))
    tree = scene.repository.git.resolve("main")
    for number in (old.number, new.number, 9999):
        scene.repository.git.run("update-ref", f"refs/claude-pool/threads/{number}", str(tree))
    old.closed_at = time.time() - 31 * 86_400
    await green(scene, "/pool help", "answered")
    left = scene.repository.git.run(
        "for-each-ref", "--format=%(refname)", "refs/claude-pool/threads"
    ).decode()
    kept = sorted(int(name.rpartition("/")[2]) for name in left.split())
    assert kept == sorted([scene.pull.number, new.number, 9999]), (
        "what cannot be read may be there all the same"
    )


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_github_has_and_no_saved_state_knows_of_is_found_and_not_made_again(
    scene: Stage,
) -> None:
    """Lost between the review's posting and the next push: the restored rows are older than GitHub."""
    scene.model.script = Colleague(planted=stage.PLANTED)
    posted = asyncio.Event()
    lost: list[Running] = []

    async def kill(moment: Moment) -> None:
        if (
            moment.phase == "after"
            and moment.method == "POST"
            and moment.path.endswith("/reviews")
            and lost
        ):
            lost.pop().kill()
            posted.set()

    scene.github.on_request(kill)

    async def vanish(running: Running) -> None:
        lost.append(running)
        await posted.wait()

    await scene.say("/pool review", permissions=KEEPING, during={"run": vanish}, vanish=True)
    assert len(scene.pull.reviews) == 1
    await green(scene, "/pool help", "answered")
    assert len(scene.pull.reviews) == 1
    assert len([each for each in scene.comments if "`/pool help`</sub>" in each.body]) == 1
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.status == "completed"


@pytest.mark.rotating(4)
@pytest.mark.timeout(400)
async def test_without_its_state_a_second_review_brings_the_check_up_to_date(scene: Stage) -> None:
    """Whoever may push may delete a state: then nothing says that a job has been here, but GitHub."""
    scene.model.script = Colleague(planted=stage.PLANTED)
    await green(scene, "/pool review", "findings")
    for name in scene.repository.git.refs("refs/claude-pool/threads/"):
        scene.repository.git.set_ref(name, None)
    await green(scene, "/pool review", "findings")
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.status == "completed"


async def state_of(scene: Stage, folder: Path) -> tuple[Ref, dict[str, Any], bytes]:
    """The thread's ref, with the header and the body that stand there."""
    token = scene.github.create_token(scene.github.actions_bot, scene.repository, KEEPING)
    name = f"refs/claude-pool/threads/{scene.pull.number}"
    ref = Ref(folder, Credentials(token, f"{scene.github.url}/octo/shop.git"), name)
    await ref.open()
    head, _, body = STATES.verified(name, await ref.read() or b"").partition(b"\n")
    return ref, json.loads(head), body


async def put(ref: Ref, header: dict[str, Any], body: bytes) -> None:
    """Replace what stands there, as another job of the same repository does."""
    await ref.write(STATES.signed(ref.name, json.dumps(header).encode() + b"\n" + body))


def living(header: dict[str, Any]) -> dict[str, Any]:
    """The header of another job that is alive."""
    return header | {"run": "A.1", "until_ms": int(time.time() * 1000) + 80_000}


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_job_that_is_ended_while_it_waits_touches_nothing_of_the_one_it_waits_for(
    scene: Stage, tmp_path: Path
) -> None:
    scene.model.script = Reviewer(pace=2.0)

    async def vanish(running: Running) -> None:
        await scene.github.until(lambda: scene.paid > 0, timeout=PATIENCE)
        running.kill()

    await scene.say("/pool review", permissions=KEEPING, during={"run": vanish}, vanish=True)
    ref, header, body = await state_of(scene, tmp_path / "ref")
    await put(ref, header | {"until_ms": 1}, body)
    before = [each.body for each in scene.comments]
    raced: list[Ref] = [ref]

    async def race(moment: Moment) -> None:
        if (
            moment.phase == "before"
            and moment.method == "POST"
            and "receive-pack" in moment.path
            and raced
        ):
            await put(raced.pop(), living(header), body)

    scene.github.on_request(race)

    async def cancel(running: Running) -> None:
        await scene.github.until(lambda: not raced, timeout=PATIENCE)
        await asyncio.sleep(1)
        await running.cancel()

    done = await scene.say("/pool help", permissions=KEEPING, during={"run": cancel})
    assert done.outputs["outcome"] == "cancelled", done.log
    assert "Nothing was run" in done.errors[0]
    assert [each.body for each in scene.comments] == before
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.status == "in_progress"


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_job_whose_thread_was_taken_over_leaves_it_as_it_stands(
    scene: Stage, tmp_path: Path
) -> None:
    scene.model.script = Reviewer(pace=60.0)

    async def take_over(_: Running) -> None:
        await scene.github.until(lambda: len(scene.model.requests) > 0, timeout=PATIENCE)
        for number in range(20):
            ref, header, body = await state_of(scene, tmp_path / f"ref{number}")
            with suppress(Stale):
                return await put(ref, living(header), body)
        raise AssertionError("never won")

    done = await scene.say("/pool review", permissions=KEEPING, during={"run": take_over})
    assert done.red
    assert "Another job has taken over" in done.errors[0], done.log
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.status == "in_progress"
    assert "ancelled" not in scene.comments[-1].body


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_a_lost_job_began_costs_the_next_no_more_than_that_ones_budget(
    scene: Stage, tmp_path: Path
) -> None:
    scene.model.script = Reviewer(pace=2.0)

    async def vanish(running: Running) -> None:
        await scene.github.until(lambda: scene.paid > 0, timeout=PATIENCE)
        running.kill()

    await scene.say("/pool review", permissions=KEEPING, during={"run": vanish}, vanish=True)
    ref, header, body = await state_of(scene, tmp_path / "ref")
    await put(ref, header | {"until_ms": 1}, body)
    scene.model.script, paid = Reviewer(), scene.paid
    await scene.say("/pool help", permissions=KEEPING, inputs={"budget_usd": "0.000001"})
    assert scene.paid == paid
    assert len([each for each in scene.comments if "`/pool help`</sub>" in each.body]) == 1
