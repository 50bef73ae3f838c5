"""Code scanning, Actions workflows, and issues that are deleted, moved or switched off, through gidgethub."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import gidgethub
import pytest

from claude_pool_gh.rehearsal.github import App, Repository, SimulatedGitHub
from tests.rehearsal.world import Bot

R = "/repos/octo/widgets"
MAY = {"actions": "read", "issues": "write", "metadata": "read", "security_events": "write"}


@pytest.fixture
def app(github: SimulatedGitHub) -> App:
    return github.create_app("claude-pool", permissions=MAY)


def result(rule: str = "defects/correctness", print_: str = "f1", **more: Any) -> dict[str, Any]:
    region = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 5}
    physical = {"artifactLocation": {"uri": "a.py"}, "region": region}
    return {
        "ruleId": rule,
        "message": {"text": "wrong"},
        "locations": [{"physicalLocation": physical}],
        "partialFingerprints": {"primaryLocationLineHash": print_},
    } | more


def document(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    text = {"text": "words"}
    rule = {
        "id": "defects/correctness",
        "shortDescription": text,
        "fullDescription": text,
        "help": text,
    }
    run = {
        "tool": {"driver": {"name": "claude-pool-gh", "rules": [rule]}},
        "automationDetails": {"id": "claude-pool/defects/1"},
        "results": list(results),
    }
    return {"$schema": "https://x", "version": "2.1.0", "runs": [run | more]}


def packed(whole: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(whole).encode())).decode()


async def send(bot: Bot, widgets: Repository, whole: object) -> Any:
    body = {"commit_sha": widgets.head(), "ref": "refs/heads/main", "sarif": packed(whole)}
    receipt = await bot.api.post(f"{R}/code-scanning/sarifs", data=body)
    return await bot.api.getitem(f"{R}/code-scanning/sarifs/{receipt['id']}")


async def test_an_upload_is_processed_after_a_while(
    github: SimulatedGitHub, widgets: Repository, bot: Bot
) -> None:
    github.limits.sarif_seconds = 60
    status = await send(bot, widgets, document(result()))
    assert status["processing_status"] == "pending"
    assert await bot.api.getitem(f"{R}/code-scanning/analyses") == []
    github.clock.advance(61)
    (analysis,) = await bot.api.getitem(f"{R}/code-scanning/analyses")
    assert (analysis["category"], analysis["results_count"]) == ("claude-pool/defects/", 1)
    (alert,) = await bot.api.getitem(f"{R}/code-scanning/alerts")
    assert alert["most_recent_instance"]["location"]["path"] == "a.py"


async def test_what_the_next_upload_does_not_list_is_fixed_and_opens_again(
    widgets: Repository, bot: Bot
) -> None:
    await send(bot, widgets, document(result(), result(print_="f2")))
    await send(bot, widgets, document(result()))
    states = {one.fingerprint: one.state for one in widgets.scanning.alerts}
    assert states == {"f1": "open", "f2": "fixed"}
    widgets.scanning.alerts[0].state = "dismissed"
    await send(bot, widgets, document(result(), result(print_="f2")))
    states = {one.fingerprint: one.state for one in widgets.scanning.alerts}
    assert states == {"f1": "dismissed", "f2": "open"}


@pytest.mark.parametrize(
    ("whole", "fault"),
    [
        (document(result(message={"text": ""})), "message.text is required"),
        (document(result(partialFingerprints={})), "primaryLocationLineHash is missing"),
        (document(result(locations=[])), "locations must not be empty"),
        (document(result("no/rule")), "no rule no/rule"),
        (document(result(), results=None), "rules and results are required"),
        (
            document(result(), invocations=[{"executionSuccessful": False}]),
            "unsuccessful execution",
        ),
        ({"$schema": "x", "version": "2.1.0", "runs": [{}] * 21}, "at most 20 runs"),
        ({"version": "2.1.0", "runs": []}, r"\$schema"),
    ],
)
async def test_a_document_that_github_does_not_take_fails(
    widgets: Repository, bot: Bot, whole: object, fault: str
) -> None:
    status = await send(bot, widgets, whole)
    assert status["processing_status"] == "failed"
    assert any(fault.replace("\\", "") in each for each in status["errors"])
    assert widgets.scanning.alerts == []


@pytest.mark.parametrize(
    ("change", "status"),
    [({"sarif": "%%"}, 400), ({"commit_sha": "a" * 40}, 404), ({"ref": "main"}, 422)],
)
async def test_an_upload_that_is_none_is_refused(
    widgets: Repository, bot: Bot, change: dict[str, str], status: int
) -> None:
    body = {"commit_sha": widgets.head(), "ref": "refs/heads/main", "sarif": packed(document())}
    with pytest.raises(gidgethub.BadRequest) as refused:
        await bot.api.post(f"{R}/code-scanning/sarifs", data=body | change)
    assert refused.value.status_code == status


async def test_where_code_scanning_is_off_it_is_said(widgets: Repository, bot: Bot) -> None:
    widgets.scanning.on = False
    with pytest.raises(gidgethub.BadRequest, match="Advanced Security") as refused:
        await send(bot, widgets, document())
    assert refused.value.status_code == 403


async def test_the_state_of_a_workflow_is_told(widgets: Repository, bot: Bot) -> None:
    path = ".github/workflows/pool.yml"
    with pytest.raises(gidgethub.BadRequest):
        await bot.api.getitem(f"{R}/actions/workflows/pool.yml")
    widgets.commit("main", {path: "on: schedule\n"})
    assert (await bot.api.getitem(f"{R}/actions/workflows/pool.yml"))["state"] == "active"
    widgets.state.workflow_states["pool.yml"] = "disabled_inactivity"
    found = await bot.api.getitem(f"{R}/actions/workflows/pool.yml")
    assert (found["state"], found["path"]) == ("disabled_inactivity", path)


async def test_a_deleted_issue_is_gone_and_a_moved_one_leads_on(
    github: SimulatedGitHub, widgets: Repository, bot: Bot
) -> None:
    elsewhere = github.create_repository("octo/elsewhere")
    deleted, moved = widgets.open_issue("a"), widgets.open_issue("b")
    widgets.delete_issue(deleted)
    widgets.transfer_issue(moved, elsewhere)
    gone, _, _ = await bot.raw("GET", f"{R}/issues/1", allow_redirects=False)
    assert gone == 410
    status, headers, _ = await bot.raw("GET", f"{R}/issues/2", allow_redirects=False)
    assert status == 301
    assert headers["Location"].endswith("/repos/octo/elsewhere/issues/1")
    assert widgets.open_issue("c").number == 3


async def test_issues_can_be_switched_off(widgets: Repository, bot: Bot) -> None:
    issue = widgets.open_issue("a")
    widgets.switch_issues(on=False)
    for method, path in (("POST", f"{R}/issues"), ("PATCH", f"{R}/issues/{issue.number}")):
        status, _, body = await bot.raw(method, path, json={"title": "x"})
        assert (status, b"disabled" in body) == (410, True)
    widgets.switch_issues(on=True)
    assert (await bot.api.getitem(f"{R}/issues/{issue.number}"))["title"] == "a"
