"""Tokens: who gets in, to what, and for how long."""

from __future__ import annotations

import time

import aiohttp
import gidgethub
import jwt
import pytest
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.rehearsal.github import App, Installation, Repository, SimulatedGitHub
from tests.rehearsal.contract.checker import Contract
from tests.rehearsal.world import Bot

R = "/repos/octo/widgets"


def signed(app: App, *, issued: float = -60, expires: float = 540, key: str | None = None) -> str:
    now = time.time()
    claims = {"iss": str(app.id), "iat": int(now + issued), "exp": int(now + expires)}
    return jwt.encode(claims, key or app.private_key, algorithm="RS256")


async def status(
    github: SimulatedGitHub, method: str, path: str, token: str | None, **more: object
) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, github.api_url + path, headers=headers, json=more or None
        ) as response,
    ):
        return response.status


async def test_an_app_proves_itself_and_gets_a_narrow_token(
    github: SimulatedGitHub, app: App, installation: Installation, widgets: Repository
) -> None:
    async with aiohttp.ClientSession() as session:
        api = GitHubAPI(session, "tester", base_url=github.api_url)
        proof = signed(app)
        assert (await api.getitem("/app", jwt=proof))["slug"] == "claude-pool"
        (found,) = [one async for one in api.getiter("/app/installations", jwt=proof)]
        for path in (
            f"{R}/installation",
            "/orgs/octo/installation",
            f"/app/installations/{found['id']}",
        ):
            assert (await api.getitem(path, jwt=proof))["id"] == installation.id
        path = f"/app/installations/{installation.id}/access_tokens"
        data = {"repositories": ["widgets"], "permissions": {"contents": "read"}}
        made = await api.post(path, data=data, jwt=proof)
        token = made["token"]
        assert token.startswith(f"ghs_{app.id}_ey")
        assert made["permissions"] == {"metadata": "read", "contents": "read"}
        seen = [
            one
            async for one in api.getiter(
                "/installation/repositories", oauth_token=token, iterable_key="repositories"
            )
        ]
        assert [one["id"] for one in seen] == [widgets.id]
        with pytest.raises(gidgethub.BadRequest):
            await api.post(path, data={"permissions": {"administration": "write"}}, jwt=proof)
    issue = widgets.open_issue("x")
    assert await status(github, "GET", f"{R}/issues/{issue.number}", token) == 403
    assert await status(github, "GET", R, token) == 200
    github.clock.advance(3601)
    assert await status(github, "GET", R, token) == 401


async def test_a_bad_jwt_is_refused(github: SimulatedGitHub, app: App) -> None:
    other = github.create_app("other")
    bad = [
        signed(app, expires=-1),
        signed(app, issued=0, expires=700),
        signed(app, issued=300, expires=600),
        signed(app, key=other.private_key),
        "nonsense",
    ]
    for proof in bad:
        assert await status(github, "GET", "/app", proof) == 401
    assert await status(github, "GET", "/app", signed(app)) == 200


async def test_a_repository_outside_the_installation_does_not_exist(
    github: SimulatedGitHub, bot: Bot
) -> None:
    github.create_repository("octo/secret", private=True)
    github.create_repository("octo/open")
    for name in ("secret", "open", "never"):
        answer, _, _ = await bot.raw("GET", f"/repos/octo/{name}")
        assert answer == 404
    assert await status(github, "GET", R, None) == 401


async def test_roles_are_told_fine_and_coarse(
    github: SimulatedGitHub, widgets: Repository, bot: Bot
) -> None:
    mona = github.create_user("mona")
    told = {}
    for role in ("none", "read", "triage", "write", "maintain", "admin"):
        widgets.grant(mona, role)
        answer = await bot.api.getitem(f"{R}/collaborators/mona/permission")
        told[answer["role_name"]] = answer["permission"]
        assert answer["user"]["id"] == mona.id
    assert told == {
        "read": "read",
        "triage": "read",
        "write": "write",
        "maintain": "write",
        "admin": "admin",
    }
    assert (await bot.api.getitem(f"/user/{mona.id}"))["login"] == "mona"
    assert (await bot.api.getitem("/users/claude-pool%5Bbot%5D"))["type"] == "Bot"


@pytest.mark.usefixtures("installation", "hooks")
async def test_a_workflow_token_acts_as_the_actions_bot_and_starts_nothing(
    github: SimulatedGitHub, widgets: Repository
) -> None:
    issue = widgets.open_issue("x")
    await github.settle()
    before = len(github.deliveries)
    token = github.create_token(
        github.actions_bot, widgets, {"issues": "write", "contents": "read"}
    )
    assert (
        await status(github, "POST", f"{R}/issues/{issue.number}/comments", token, body="hi") == 201
    )
    assert await status(github, "GET", "/user", token) == 403
    assert await status(github, "GET", R, token) == 200
    (comment,) = widgets.comments(issue.number)
    assert (comment.author.login, comment.author.id) == ("github-actions[bot]", 41_898_282)
    assert len(github.deliveries) == before


async def test_an_unknown_route_is_remembered_and_named(
    github: SimulatedGitHub, bot: Bot, contract: Contract, caplog: pytest.LogCaptureFixture
) -> None:
    answer, _, _ = await bot.raw("GET", "/repos/octo/widgets/nonsense")
    assert answer == 404
    (broken,) = contract.violations  # the description has no such route
    assert "nonsense" in broken
    contract.clear()
    assert [one.path for one in github.unknown_routes] == ["/repos/octo/widgets/nonsense"]
    assert "not simulated: GET /repos/octo/widgets/nonsense" in caplog.text
