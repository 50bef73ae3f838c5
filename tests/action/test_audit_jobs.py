"""Audits in jobs: state under a ref of the audit's own, one report issue, and what later steps of a job are given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from claude_pool_gh.rehearsal.github import Issue
from claude_pool_gh.rehearsal.model import Answer, ModelRequest, Reply
from tests.acceptance.auditor import Auditor, files_of
from tests.acceptance.test_audit import TOTAL
from tests.action.conftest import WRITE, Stage
from tests.action.runner import Done

KEEPING = WRITE | {"contents": "write"}
REF = "refs/claude-pool/audits/defects"


async def night(scene: Stage, run_id: str, **more: str) -> Done:
    """A job of a schedule, which belongs to no issue."""
    return await scene.job(
        "schedule",
        {"schedule": "17 3 * * *"},
        permissions=KEEPING,
        inputs={"command": "/pool audit defects"},
        environment={"GITHUB_RUN_ID": run_id, **more},
    )


def report(scene: Stage) -> Issue:
    """The report issue; there is exactly one."""
    threads = scene.repository.state.threads.values()
    (found,) = [each for each in threads if each.title == "Audit report: defects"]
    return found


@pytest.mark.rotating(4)
@pytest.mark.timeout(400)
async def test_nightly_audits_share_their_state_and_one_report_issue(scene: Stage) -> None:
    scene.model.script = auditor = Auditor(claims=(TOTAL,))
    first = await night(scene, "1")
    assert (first.red, first.outputs["outcome"], first.outputs["findings"]) == (
        False,
        "findings",
        "1",
    ), first.log
    sarif = json.loads(Path(first.outputs["sarif_file"]).read_text())
    (result,) = sarif["runs"][0]["results"]
    assert result["ruleId"] == "defects/wrong-result"
    assert "### 🔎 1 finding open: 1 high" in report(scene).body
    assert "A line has no discount" in Path(first.outputs["report_file"]).read_text()
    refs = scene.repository.git.refs("refs/claude-pool/")
    assert REF in refs
    assert not [name for name in refs if name.startswith("refs/claude-pool/threads/")]

    second = await night(scene, "2")
    assert (second.outputs["outcome"], second.outputs["findings"]) == ("findings", "1"), second.log
    assert len(auditor.asked("verify-audit")) == 1, "what stands is known, and paid for once"
    number = report(scene).number

    scene.repository.git.set_ref(REF, None)
    third = await night(scene, "3")
    assert third.outputs["findings"] == "1", third.log
    assert report(scene).number == number, "it is found again by its mark"

    scene.repository.close(report(scene))
    paid = scene.paid
    fourth = await night(scene, "4")
    assert (fourth.red, fourth.outputs["outcome"]) == (False, "skipped"), fourth.log
    assert "is closed: reopen it" in fourth.summary
    assert scene.paid == paid


class SlowAuditor(Auditor):
    """The agent of one part takes its time; the others answer at once."""

    slow: bool = True

    def __call__(self, request: ModelRequest) -> Reply:
        said = super().__call__(request)
        if self.slow and isinstance(said, Answer) and "AGENTS.md" in files_of(request):
            return replace(said, delay=300.0)
        return said


@pytest.mark.rotating(4)
@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", ["by its schedule", "by a comment"])
async def test_a_job_at_its_deadline_leaves_the_audit_to_the_next_which_pays_nothing_twice(
    scene: Stage, how: str
) -> None:
    by_folder = {".github/claude-pool.yml": "audits:\n  defects:\n    by: folder\n    slots: 4\n"}
    scene.repository.commit("main", by_folder, author=scene.maintainer)
    scene.model.script = auditor = SlowAuditor(claims=(TOTAL,))
    first = await night(scene, "1", POOL_DEADLINE_SECONDS="30")
    assert (first.red, first.outputs["outcome"]) == (False, "unfinished"), first.log
    assert first.outputs["sarif_file"] == ""
    there = report(scene)
    (shown,) = scene.repository.comments(there.number)
    assert "The next job with the same command goes on from here" in shown.body
    asked = [files_of(each) for each in auditor.asked("audit-defects")]
    assert len(asked) > 1, "a part was read to its end, another was not"

    auditor.slow = False
    if how == "by a comment":
        line = "/pool continue"
        await scene.github.comment(scene.maintainer, scene.repository, there.number, line)
        event = scene.event("issue_comment")
        second = await scene.job("issue_comment", event, permissions=KEEPING)
        answers = [each.body for each in scene.repository.comments(there.number)]
        assert any("is not over: it goes on by itself" in each for each in answers), answers
    else:
        second = await night(scene, "2")
    assert (second.outputs["outcome"], second.outputs["findings"]) == ("findings", "1"), second.log
    again = [files_of(each) for each in auditor.asked("audit-defects")][len(asked) :]
    assert all("AGENTS.md" in files for files in again), "no part that was read is read again"
    assert len(again) == 1
    assert report(scene).number == there.number
    assert "goes on from here" not in scene.repository.comments(there.number)[0].body


@pytest.mark.rotating(4)
@pytest.mark.timeout(400)
async def test_a_command_in_the_report_issue_knows_what_the_audit_has_found(scene: Stage) -> None:
    scene.model.script = Auditor(claims=(TOTAL,))
    first = await night(scene, "1")
    assert first.outputs["findings"] == "1", first.log
    there = report(scene)
    known = there.body.partition("/pool dismiss ")[2][:8]
    line = f"/pool dismiss {known} one caller only"
    await scene.github.comment(scene.maintainer, scene.repository, there.number, line)
    done = await scene.job("issue_comment", scene.event("issue_comment"), permissions=KEEPING)
    assert (done.red, done.outputs["outcome"]) == (False, "done"), done.log
    second = await night(scene, "2")
    assert (second.outputs["outcome"], second.outputs["findings"]) == ("clean", "0"), second.log


@pytest.mark.rotating(4)
@pytest.mark.timeout(400)
async def test_commands_in_the_thread_that_asked_for_an_audit_keep_a_state_of_their_own(
    scene: Stage,
) -> None:
    scene.model.script = Auditor(claims=(TOTAL,))
    own = f"refs/claude-pool/threads/{scene.pull.number}"
    asked = await scene.say("/pool audit defects", permissions=KEEPING)
    assert asked.outputs["outcome"] == "findings", asked.log
    assert scene.repository.git.refs("refs/claude-pool/").keys() >= {REF}
    assert own not in scene.repository.git.refs("refs/claude-pool/")
    audit = scene.repository.git.refs(REF)[REF]
    done = await scene.say("/pool cost", permissions=KEEPING)
    assert done.outputs["outcome"] == "answered", done.log
    assert own in scene.repository.git.refs("refs/claude-pool/"), "what is done here is kept here"
    assert scene.repository.git.refs(REF)[REF] == audit
