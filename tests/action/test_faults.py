"""A job that should have worked and could not is red before anything is spent, and says in one line what to change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.action.conftest import KEY, WRITE, Stage
from tests.action.runner import Done


def says(done: Done, *texts: str) -> None:
    """Red, one error line with all of these, and neither a traceback nor another error."""
    assert done.red, done.log
    assert len(done.errors) == 1, done.log
    for text in texts:
        assert text in done.errors[0]
        assert (
            text.strip("`") in done.summary.replace("`", "").replace("\\", "")
            or text in done.summary
        )
    assert "Traceback" not in done.log


def without(*names: str, **levels: str) -> dict[str, str]:
    return {name: level for name, level in (WRITE | levels).items() if name not in names}


async def test_no_command_asks_nobody_and_costs_next_to_nothing(scene: Stage) -> None:
    event = await scene.comment("just talking")
    before = scene.asked
    done = await scene.job("issue_comment", event)
    assert (done.red, done.outputs["outcome"], done.outputs["cost_usd"]) == (
        False,
        "nothing",
        "0.000000",
    )
    assert [name for name, step in done.steps.items() if step.code is not None] == ["look"]
    assert scene.asked == before
    assert "no command" in done.summary


async def test_without_a_key_nothing_is_installed_and_the_thread_is_told(scene: Stage) -> None:
    done = await scene.say("/pool review", inputs={"anthropic_api_key": ""})
    says(done, "anthropic_api_key: it is empty", "Settings, Secrets and variables, Actions")
    assert done.outputs["outcome"] == "misconfigured"
    assert done.steps["install"].code is None
    assert "anthropic_api_key: it is empty" in scene.comments[0].body
    assert "/actions/runs/4711" in scene.comments[0].body


async def test_a_stranger_is_not_told_how_the_repository_is_set_up(scene: Stage) -> None:
    stranger = scene.github.create_user("stranger")
    done = await scene.job(
        "issue_comment",
        await scene.comment("/pool review", by=stranger),
        inputs={"anthropic_api_key": ""},
    )
    assert done.red
    assert scene.comments == []


@pytest.mark.parametrize("event", ["{", "[]", "", '{"action": "created", "comm'])
async def test_an_event_that_cannot_be_read(scene: Stage, event: str) -> None:
    done = await scene.job("issue_comment", event)
    says(done, "event file")
    assert done.outputs["outcome"] == "misconfigured"


async def test_an_event_file_that_is_not_there(scene: Stage) -> None:
    done = await scene.job("issue_comment", {}, environment={"GITHUB_EVENT_PATH": "/nowhere"})
    says(done, "/nowhere cannot be read")


async def test_a_schedule_without_a_command(scene: Stage) -> None:
    says(await scene.job("schedule", {"schedule": "0 3 * * *"}), "input `command`")


async def test_an_input_that_is_no_number(scene: Stage) -> None:
    says(
        await scene.say("/pool review", inputs={"budget_usd": "three"}),
        "budget_usd: 'three' is not a number",
    )


async def test_a_wrong_token(scene: Stage) -> None:
    done = await scene.say("/pool review", token="ghs_wrong")
    says(done, "github_token: GitHub does not accept it")
    assert (done.outputs["outcome"], scene.paid) == ("misconfigured", 0)


async def test_a_token_of_the_person_who_asks_is_told_before_anything_is_begun(
    scene: Stage,
) -> None:
    """The bot obeys no words of its own account, which here are everything that this person writes."""
    token = scene.github.create_token(
        scene.maintainer, scene.repository, {"metadata": "read", "contents": "write", **WRITE}
    )
    done = await scene.say("/pool help", token=token)
    says(done, "github_token: it is mona's own", "Leave the input out")
    assert done.outputs["outcome"] == "misconfigured"
    other = scene.github.create_user("lena")
    scene.repository.grant(other, "write")
    event = await scene.comment("/pool help", by=other)
    done = await scene.job("issue_comment", event, token=token)
    assert (done.red, done.outputs["outcome"]) == (False, "answered"), done.log


async def test_secrets_that_were_pasted_with_a_line_break_are_taken_without_it(
    scene: Stage,
) -> None:
    token = scene.github.create_token(scene.github.actions_bot, scene.repository, WRITE)
    done = await scene.say(
        "/pool help", token=f"{token}\n", inputs={"anthropic_api_key": f"{KEY}\n"}
    )
    assert (done.red, done.outputs["outcome"]) == (False, "answered"), done.log
    told = len(scene.comments)
    await scene.say("/pool help", token=f"{token}\n", inputs={"anthropic_api_key": "\n"})
    assert len(scene.comments) == told + 1
    assert "anthropic_api_key: it is empty" in scene.comments[-1].body


READ_ONLY = {"contents": "read", "issues": "read", "pull_requests": "read"}


@pytest.mark.parametrize(
    ("permissions", "named"),
    [
        (READ_ONLY, "`issues: write` or `pull-requests: write`"),
        pytest.param(without("contents"), "`contents: read`", marks=pytest.mark.long),
        pytest.param(without("checks"), "`checks: write`", marks=pytest.mark.long),
        pytest.param(without("pull_requests"), "`pull-requests: read`", marks=pytest.mark.long),
    ],
)
async def test_a_permission_that_is_missing_is_named_before_a_cent_is_spent(
    scene: Stage, permissions: Mapping[str, str], named: str
) -> None:
    scene.repository.state.private = True
    done = await scene.say("/pool review", permissions=permissions)
    says(done, named, "Add ", ".github/workflows/pool.yml")
    assert scene.paid == 0
    assert done.outputs["outcome"] in ("misconfigured", "not_posted")
    for check in scene.repository.check_runs(scene.pull.head_sha):
        assert check.status == "completed"


@pytest.mark.long
async def test_a_result_that_cannot_be_posted_makes_the_job_red(scene: Stage) -> None:
    """The token may comment and check, and not review: that is seen only when the review is posted."""
    scene.model.script = Reviewer(stage.PLANTED)
    done = await scene.say("/pool review", permissions=without(pull_requests="read"))
    says(done, "the review", "`pull-requests: write`")
    assert done.outputs["outcome"] == "not_posted"
    assert json.loads(done.outputs["result"])["commands"][0]["outcome"] == "findings"
    assert scene.paid > 0


@pytest.mark.rotating(4)
async def test_a_file_that_names_the_app_ends_the_job_and_says_so(scene: Stage) -> None:
    scene.repository.commit(
        "main", {".github/claude-pool.yml": "runs_in: app\n"}, author=scene.maintainer
    )
    done = await scene.say("/pool review")
    assert (done.red, done.outputs["outcome"], scene.comments) == (False, "nothing", [])
    assert "`runs_in: app` in .github/claude-pool.yml" in done.summary


@pytest.mark.long
async def test_an_agent_that_cannot_be_installed(scene: Stage) -> None:
    done = await scene.say("/pool review", agent="failed")
    says(done, "claude-agent-sdk could not be installed")
    assert (done.outputs["outcome"], scene.paid) == ("failed", 0)
    (check,) = scene.repository.check_runs(scene.pull.head_sha)
    assert check.conclusion == "cancelled"


@pytest.mark.long
async def test_an_event_that_configuration_has_not_switched_on(scene: Stage) -> None:
    event = {**await _pull_event(scene), "action": "opened"}
    real = {"dry_run": "false"}
    told = await scene.job("pull_request", event, inputs=real)
    says(told, "triggers.opened: true", "command: /pool review")
    assert not (await scene.job("pull_request", event, inputs={"command": "/pool review"})).red
    assert "Nothing found" in scene.comments[-1].body
    off = "triggers:\n  opened: false\n"
    scene.repository.commit("main", {".github/claude-pool.yml": off}, author=scene.maintainer)
    assert (await scene.job("pull_request", event, inputs=real)).outputs["outcome"] == "nothing"


async def _pull_event(scene: Stage) -> dict[str, Any]:
    comment = await scene.comment("words")
    pull = {
        "number": scene.pull.number,
        "head": {"sha": scene.pull.head_sha},
        "base": {"ref": "main"},
        "draft": False,
        "updated_at": "2026-01-01T00:00:00Z",
    }
    return {"repository": comment["repository"], "sender": comment["sender"], "pull_request": pull}


@pytest.mark.rotating(4)
async def test_a_schedule_with_a_command_and_a_number(scene: Stage) -> None:
    inputs = {"command": "/pool help", "number": "1"}
    done = await scene.job("schedule", {"schedule": "0 3 * * *"}, inputs=inputs)
    assert (done.red, done.outputs["outcome"]) == (False, "answered"), done.log
    assert "`/pool review [PATH…]`" in scene.comments[0].body


@pytest.mark.long
async def test_a_second_command_beyond_the_jobs_cap_is_refused_in_the_jobs_own_terms(
    scene: Stage,
) -> None:
    done = await scene.say("/pool review\n/pool ask what does it do")
    assert (done.red, done.outputs["outcome"]) == (False, "refused")
    refusal = next(each.body for each in scene.comments if "Nothing was run" in each.body)
    assert "the cap per job of $3.00" in refusal
    assert "the action's input `budget_usd`" in refusal
    assert "CLAUDE_POOL" not in refusal


@pytest.mark.long
async def test_a_run_out_of_budget_is_red(scene: Stage) -> None:
    done = await scene.say("/pool review --budget 0.01")
    assert done.outputs["outcome"] == "out_of_budget"
    says(done, "`budget`")
    assert "NOT REVIEWED" in done.summary
