"""Commands about runs in a thread that has two states, its own and an audit's: each is served with one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claude_pool_gh.action.state import image
from claude_pool_gh.action.state.audits import AUDITS
from claude_pool_gh.action.state.image import Header, Span
from claude_pool_gh.action.state.keeper import Keeper
from claude_pool_gh.action.state.signing import StateKey
from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.model import Answer
from tests.acceptance.auditor import Auditor
from tests.acceptance.colleague import Colleague
from tests.acceptance.test_audit import TOTAL
from tests.action.conftest import Stage
from tests.action.runner import Running
from tests.action.test_audit_jobs import KEEPING
from tests.action.test_ref import opened
from tests.patience import PATIENCE

KEY = StateKey.of("the key of these jobs")


class Slow(Auditor):
    """Answers when nobody waits any more."""

    def __call__(self, request: Any) -> Any:
        said = super().__call__(request)
        return replace(said, delay=300.0) if isinstance(said, Answer) else said


async def test_a_state_says_when_its_jobs_served_a_thread(scene: Stage, tmp_path: Path) -> None:
    ref = await opened(scene, tmp_path / "a", contents="write")
    ref.name = f"{AUDITS}night"

    def job(run: str, since_ms: int) -> Keeper:
        database = tmp_path / f"{run}.sqlite"
        return Keeper(ref, ref, database, 1, 7, run, audit="night", key=KEY, since_ms=since_ms)

    async def header() -> Header:
        return image.parts(KEY.verified(ref.name, await ref.read() or b""))[0]

    first = job("first", 1000)
    await first.take(lambda: False)
    assert (await header()).spans == (Span(7, 1000),)
    await first.release()
    (over,) = (await header()).spans
    assert over.ended_ms > over.since_ms
    second = job("second", 2000)
    await second.take(lambda: False)
    assert (await header()).spans == (over, Span(7, 2000))
    # it is killed: its last step knows the same, and gives it back
    later = job("second", 9000)
    assert await later.regain()
    await later.release()
    *before, given_back = (await header()).spans
    assert (before, given_back.since_ms) == ([over], 2000)
    assert given_back.ended_ms
    # or it is lost, and the next one has its place
    for since_ms in range(3000, 3000 + image.SPANS):
        await job(f"lost {since_ms}", since_ms).take(lambda: False)
        ref.commit = await ref._stands()
        stood = await header()
        await ref.write(KEY.signed(ref.name, image.with_header(replace(stood, until_ms=1), b"")))
    *lost, newest = (await header()).spans
    assert [each.ended_ms - each.since_ms for each in lost] == [1] * (image.SPANS - 1)
    assert newest == Span(7, 2999 + image.SPANS)


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_cancel_that_an_audit_has_heard_costs_no_patch_that_waits(scene: Stage) -> None:
    scene.model.script = Colleague(planted=stage.PLANTED)
    fix = await scene.say("/pool fix the discount must count from ten pieces", permissions=KEEPING)
    gate = fix.outputs["approval_pending"]
    scene.model.script = Slow(claims=(TOTAL,))
    before = len(scene.model.requests)
    event, said = await scene.comment("/pool audit defects"), list[Any]()

    async def cancel(_: Running) -> None:
        await scene.github.until(lambda: len(scene.model.requests) > before, timeout=2 * PATIENCE)
        said.append(await scene.comment("/pool cancel"))

    run = {"GITHUB_RUN_ID": "1"}
    during = {"run": cancel}
    audit = await scene.job(
        "issue_comment", event, permissions=KEEPING, during=during, environment=run
    )
    assert audit.outputs["outcome"] == "cancelled", audit.log
    run = {"GITHUB_RUN_ID": "2"}
    await scene.job("issue_comment", said[0], permissions=KEEPING, environment=run)
    scene.model.script = Colleague(planted=stage.PLANTED)
    head = scene.pull.head_sha
    run = {"GITHUB_RUN_ID": "3"}
    done = await scene.say(f"/pool approve {gate}", permissions=KEEPING, environment=run)
    assert done.outputs["outcome"] == "done", [each.body for each in scene.comments]
    assert scene.pull.head_sha != head


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_a_run_of_an_audit_is_found_by_its_id_wherever_it_is_named(scene: Stage) -> None:
    scene.model.script = Auditor(claims=(TOTAL,))
    asked = await scene.say("/pool audit defects", permissions=KEEPING)
    chain = asked.outputs["chain_id"]
    await scene.say("/pool cost", permissions=KEEPING)  # the thread has a state of its own now
    said = len(scene.comments)
    await scene.say(f"/pool cancel {chain}", permissions=KEEPING)
    assert scene.comments[said:]
    assert not any("has the ID" in each.body for each in scene.comments[said:])
