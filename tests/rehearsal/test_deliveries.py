"""Webhooks that fail, are dropped, and are sent again."""

from __future__ import annotations

import aiohttp
import pytest
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.rehearsal.github import App, Installation, Repository, SimulatedGitHub
from tests.rehearsal.test_access import signed
from tests.rehearsal.world import Hooks


@pytest.mark.usefixtures("installation")
async def test_a_failed_delivery_stays_failed_until_it_is_sent_again(
    github: SimulatedGitHub, app: App, widgets: Repository, hooks: Hooks
) -> None:
    mona = github.create_user("mona")
    issue = widgets.open_issue("x", author=mona)
    await github.settle()
    hooks.status = 500
    await github.comment(mona, widgets, issue.number, "one")
    failed = github.deliveries[-1]
    assert (failed.state, failed.status_code) == ("failed", 500)
    hooks.status = 202
    async with aiohttp.ClientSession() as session:
        api = GitHubAPI(session, "tester", base_url=github.api_url)
        listed = [
            one async for one in api.getiter("/app/hook/deliveries?per_page=1", jwt=signed(app))
        ]
        assert listed[0]["id"] == failed.id
        assert len(listed) == len(github.deliveries)
        await api.post(f"/app/hook/deliveries/{failed.id}/attempts", data={}, jwt=signed(app))
        await github.settle()
        again = github.deliveries[-1]
        assert (again.guid, again.redelivery, again.state) == (failed.guid, True, "delivered")
        shown = await api.getitem(f"/app/hook/deliveries/{again.id}", jwt=signed(app))
        assert shown["response"]["payload"] == "taken"
        assert "secret" in await api.getitem("/app/hook/config", jwt=signed(app))
    assert hooks.events[-1].delivery_id == hooks.events[-2].delivery_id


@pytest.mark.usefixtures("installation")
async def test_deliveries_can_be_dropped(
    github: SimulatedGitHub, widgets: Repository, hooks: Hooks
) -> None:
    await github.settle()
    github.delivering = False
    issue = widgets.open_issue("x")
    before = len(hooks.events)
    await github.comment(github.create_user("mona"), widgets, issue.number, "lost")
    assert len(hooks.events) == before
    github.delivering = True
    await github.redeliver(github.deliveries[-1])
    assert hooks.events[-1].data["comment"]["body"] == "lost"


async def test_nobody_listening_is_a_failure(github: SimulatedGitHub, widgets: Repository) -> None:
    app = github.create_app("deaf", webhook_url="http://127.0.0.1:9/webhook")
    github.install(app, "octo", [widgets])
    await github.settle()
    assert (github.deliveries[-1].state, github.deliveries[-1].event) == ("failed", "installation")


async def test_a_ping_is_answered(github: SimulatedGitHub, app: App, hooks: Hooks) -> None:
    assert (await github.ping(app)).state == "delivered"
    assert hooks.events[-1].data["zen"]


async def test_buttons_of_a_check_run_are_heard(
    github: SimulatedGitHub, installation: Installation, widgets: Repository, hooks: Hooks
) -> None:
    token = github.create_installation_token(installation)
    async with aiohttp.ClientSession() as session:
        api = GitHubAPI(session, "tester", oauth_token=token, base_url=github.api_url)
        await api.post(
            "/repos/octo/widgets/check-runs", data={"name": "n", "head_sha": widgets.head()}
        )
    (run,) = widgets.check_runs(widgets.head())
    await github.press(github.create_user("mona"), widgets, run)
    await github.press(github.create_user("mona"), widgets, run, "fix")
    assert hooks.names()[-2:] == ["check_run.rerequested", "check_run.requested_action"]
    await github.press_all(github.create_user("mona"), widgets, run)
    assert hooks.names()[-1] == "check_suite.rerequested"


async def test_an_installation_gains_and_loses_repositories_and_goes(
    github: SimulatedGitHub, installation: Installation, hooks: Hooks
) -> None:
    other = github.create_repository("octo/other")
    token = github.create_installation_token(installation)
    github.add_repositories(installation, other)
    github.remove_repositories(installation, other)
    github.uninstall(installation)
    await github.settle()
    assert sorted(hooks.names()) == [
        "installation.created",
        "installation.deleted",
        "installation_repositories.added",
        "installation_repositories.removed",
    ]
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(
            f"{github.api_url}/installation/repositories", headers=headers
        ) as response:
            assert response.status == 401
