"""What GitHub's answers mean: a no, not now, silence, and what is no answer of GitHub's at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.github import check_output, reads
from claude_pool_gh.github.access import AppAccess, JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.discussion import discussion
from claude_pool_gh.github.errors import (
    ForgeError,
    ForgeRefused,
    ForgeUnavailable,
    NotAdmitted,
    NotFound,
    OperatorNeeded,
    ProxyLogin,
    RateLimited,
    RefusedOnTheWay,
    Unreadable,
    message_of,
    sort_query_refusal,
)
from claude_pool_gh.rehearsal.github import (
    App,
    Fault,
    Repository,
    Reset,
    Respond,
    SimulatedGitHub,
    User,
)
from claude_pool_gh.terms.ids import Actor, CommentRef, Thread
from claude_pool_gh.terms.ids import Repository as Named
from claude_pool_gh.terms.roles import Role


@dataclass
class Services:
    """A forge with a maintainer's token, and what it is asked about."""

    github: SimulatedGitHub
    forge: Forge
    shop: Repository
    mona: User
    session: aiohttp.ClientSession
    app: App

    @property
    def named(self) -> Named:
        return Named(id=self.shop.id, owner="octo", name="shop", installation_id=1)

    @property
    def actor(self) -> Actor:
        return Actor(id=self.mona.id, login="mona", is_human=True)

    @property
    def thread(self) -> Thread:
        return Thread(repository=self.named, number=1)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with (
        SimulatedGitHub.start(tmp_path / "github") as github,
        aiohttp.ClientSession() as session,
    ):
        mona = github.create_user("mona")
        shop = github.create_repository("octo/shop")
        shop.grant(mona, "admin")
        shop.open_issue("x", "y", mona)
        token = github.create_token(mona)
        forge = Forge(
            session, github.api_url, JobAccess(session, github.api_url, token), patience=0.001
        )
        yield Services(github, forge, shop, mona, session, github.create_app("claude-pool"))


SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
ANSWERS: list[tuple[Respond, type[ForgeError]]] = [
    (Respond(400, "Problems parsing JSON"), ForgeRefused),
    (Respond(401, "Bad credentials"), ForgeRefused),
    (Respond(403, "Resource not accessible by integration"), ForgeRefused),
    (Respond(403, "API rate limit exceeded for installation ID 1."), RateLimited),
    (Respond(403, SECONDARY), RateLimited),
    (Respond(403, "x", {"Retry-After": "7"}), RateLimited),
    (Respond(403, "x", {"x-ratelimit-remaining": "0"}), RateLimited),
    (Respond(429, "Too many requests"), RateLimited),
    (
        Respond(
            422,
            "Validation Failed",
            body=json.dumps(
                {
                    "message": "Validation Failed",
                    "errors": [{"code": "unprocessable", "message": "was submitted too quickly"}],
                }
            ).encode(),
        ),
        RateLimited,
    ),
    (Respond(404, "Not Found"), NotFound),
    (Respond(410, "Issues are disabled for this repo"), NotFound),
    (Respond(409, "Git Repository is empty."), ForgeRefused),
    (Respond(451, "Repository access blocked"), ForgeRefused),
    (Respond(422, "Validation Failed"), ForgeRefused),
    (Respond(422, body=b"[]"), ForgeRefused),
    (Respond(422, body=b'{"errors": [1, null, {"x": 2}]}'), ForgeRefused),
    (Respond(403, body=b""), ForgeRefused),
    # of something in between, which says nothing of what GitHub would have said
    (Respond(401, body=b"<html>log in to the network</html>"), RefusedOnTheWay),
    (Respond(403, body=b"<html>forbidden by the proxy</html>"), RefusedOnTheWay),
    (Respond(404, body=b"404 page not found"), RefusedOnTheWay),
    (Respond(410, body=b"<html>gone</html>"), RefusedOnTheWay),
    (Respond(422, body=b"upstream"), RefusedOnTheWay),
    (Respond(429, body=b"<html>slow down</html>"), RateLimited),
    (Respond(403, body=b"<html>slow down</html>", headers={"Retry-After": "7"}), RateLimited),
    (Respond(407, body=b""), ProxyLogin),
    (Respond(407, body=b"<html>log in to the proxy</html>"), ProxyLogin),
    (Respond(408, "x"), ForgeUnavailable),
    (Respond(500, "x"), ForgeUnavailable),
    (Respond(502, body=b"<html>Bad gateway</html>"), ForgeUnavailable),
    (Respond(503, body=b""), ForgeUnavailable),
    (Respond(504, "x"), ForgeUnavailable),
    (Respond(304), ForgeUnavailable),
]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
async def test_each_status_means_one_of_three_things(services: Services, method: str) -> None:
    for answer, meaning in ANSWERS:
        services.github.faults.add(Fault(answer, times=2))
        with pytest.raises(ForgeError) as met:
            await services.forge.call(
                method, services.named, "/issues/1", None if method == "GET" else {"title": "x"}
            )
        assert type(met.value) is meaning, (answer, met.value)
        services.github.faults.clear()
    services.github.faults.add(Fault(Reset(), times=3))  # a reused connection is tried twice
    with pytest.raises(ForgeUnavailable):
        await services.forge.call(method, services.named, "/issues/1", {})


async def test_a_refusal_names_what_would_have_allowed_it(services: Services) -> None:
    header = {"X-Accepted-GitHub-Permissions": "contents=write; workflows=write"}
    services.github.faults.add(
        Fault(Respond(403, "Resource not accessible by integration", header))
    )
    with pytest.raises(
        ForgeRefused, match=r"403: Resource .*the permission contents=write; workflows=write"
    ):
        await services.forge.call("POST", services.named, "/issues/1/comments", {"body": "x"})


@pytest.mark.parametrize(
    ("errors", "meaning"),
    [
        ([{"type": "RATE_LIMITED", "message": "x"}], RateLimited),
        ([{"type": "NOT_FOUND", "message": "x"}], NotFound),
        ([{"type": "FORBIDDEN", "message": "x"}], ForgeRefused),
        ([{"message": SECONDARY}], RateLimited),
        ([{"message": "Something went wrong while executing your query."}], ForgeUnavailable),
        ([], ForgeRefused),
        (None, ForgeRefused),
        ("x", ForgeRefused),
        ([1], ForgeRefused),
    ],
)
def test_each_error_of_a_query_does_too(errors: Any, meaning: type[ForgeError]) -> None:
    assert type(sort_query_refusal(errors)) is meaning


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{", b"\xff", b'{"message": null}', b"[" * 100_000]
)
def test_a_reason_is_found_or_not_but_nothing_breaks(body: bytes) -> None:
    assert message_of(body)


# ---- forms

READS: dict[str, Callable[[Services], Awaitable[Any]]] = {
    "comment": lambda d: reads.unchanged(
        d.forge, d.thread, CommentRef(kind="issue_comment", id=1), "x"
    ),
    "issue": lambda d: reads.issue(d.forge, d.thread),
    "labels": lambda d: reads.labels(d.forge, d.named),
    "discussion": lambda d: discussion(d.forge, d.thread, is_pull=True),
    "merge base": lambda d: reads.merge_base(d.forge, d.named, "a", "b"),
    "branch": lambda d: reads.branch_head(d.forge, d.named, "main"),
    "pull": lambda d: reads.pull(d.forge, d.thread),
    "default branch": lambda d: reads.default_branch(d.forge, d.named),
    "commits": lambda d: reads.commit_messages(d.forge, d.thread),
    "checks": lambda d: check_output.failed(d.forge, d.named, "a" * 40),
    "names of checks": lambda d: check_output.names_of_failed(d.forge, d.named, "a" * 40),
    "issue text": lambda d: reads.issue_text(d.forge, d.named, 1),
}
FORMS = {
    "html": b"<html>maintenance</html>",
    "nothing": b"",
    "null": b"null",
    "a number": b"1",
    "a text": b'"x"',
    "half": b'{"id": 1, "ti',
    "numbers": b"[1, 2]",
    "lists": b"[[]]",
    "no fields": b'{"unknown": {}}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("form", FORMS)
async def test_what_is_not_githubs_form_is_a_fault_that_passes(
    services: Services, form: str
) -> None:
    for name, read in READS.items():
        services.github.faults.add(Fault(Respond(200, body=FORMS[form]), times=50))
        with pytest.raises(Unreadable):
            pytest.fail(f"{name}: {await read(services)}")
        services.github.faults.clear()


async def test_a_read_is_asked_again_after_it(services: Services) -> None:
    for form in ("html", "nothing", "half"):
        services.github.faults.add(Fault(Respond(200, body=FORMS[form])))
        assert (await reads.issue(services.forge, services.thread)).title == "x"


ODD: list[Any] = [
    None,
    [],
    [1],
    {},
    {"user": None},
    {"user": []},
    {"user": {"id": "1"}},
    {"user": {"id": None}, "permission": "admin"},
    {"permission": "admin"},
    {"user": "mona", "permission": "admin"},
]


async def test_whatever_is_no_clear_answer_about_this_user_gives_no_role(
    services: Services,
) -> None:
    assert await reads.role_of(services.forge, services.named, services.actor) == Role.admin
    of = {"user": {"id": services.mona.id, "login": "mona"}}
    more = [of, of | {"permission": []}, of | {"role_name": {"a": 1}}, of | {"permission": "owner"}]
    for answer in [*ODD, *more]:
        services.github.faults.add(Fault(Respond(200, body=json.dumps(answer).encode()), times=4))
        assert await reads.role_of(services.forge, services.named, services.actor) == Role.none, (
            answer
        )
        services.github.faults.clear()
    for body in (b"", b"<html>", b'{"us'):
        services.github.faults.add(Fault(Respond(200, body=body), times=4))
        assert await reads.role_of(services.forge, services.named, services.actor) == Role.none, (
            body
        )
        services.github.faults.clear()
    other = Actor(id=services.mona.id + 1, login="mona", is_human=True)
    assert await reads.role_of(services.forge, services.named, other) == Role.none, (
        "a name that somebody else has now"
    )
    services.github.faults.add(Fault(Respond(502), times=4))
    with pytest.raises(ForgeUnavailable):  # not now is no answer: whoever asks decides later
        await reads.role_of(services.forge, services.named, services.actor)


# ---- redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_token_follows_no_redirect_to_another_server(
    services: Services, status: int
) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(str(request.headers))
        return web.json_response({"user": {"id": services.mona.id}, "permission": "admin"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there = f"http://127.0.0.1:{runner.addresses[0][1]}/x"
    try:
        services.github.faults.add(Fault(Respond(status, "Moved", {"Location": there}), times=4))
        with pytest.raises(ForgeUnavailable, match="redirect to another server"):
            await reads.role_of(services.forge, services.named, services.actor)
    finally:
        await runner.cleanup()
    assert seen == []


async def test_a_redirect_within_the_server_is_followed_for_reads(services: Services) -> None:
    there = f"{services.github.api_url}/repos/octo/shop/issues/1"
    services.github.faults.add(Fault(Respond(301, "Moved", {"Location": there})))
    assert (await services.forge.read(services.named, "/issues/77"))["number"] == 1
    services.github.faults.add(Fault(Respond(301, "Moved", {"Location": there}), times=2))
    with pytest.raises(ForgeUnavailable, match="a redirect of a POST"):
        await services.forge.call("POST", services.named, "/issues/77/comments", {"body": "x"})
    services.github.faults.clear()
    services.github.faults.add(
        Fault(Respond(302, "x", {"Location": "/api/v3/repos/octo/shop/issues/77"}), times=20)
    )
    with pytest.raises(ForgeUnavailable):
        await services.forge.read(services.named, "/issues/77")


# ---- what only the operator can change


async def test_an_app_that_is_not_let_in_is_told_apart(services: Services) -> None:
    github, session = services.github, services.session
    installation = github.install(services.app, "octo", [services.shop])
    named = Named(id=services.shop.id, owner="octo", name="shop", installation_id=installation.id)
    good = AppAccess(session, github.api_url, str(services.app.id), services.app.private_key)
    assert await good.token(named)
    other = github.create_app("another")
    for access in (
        AppAccess(session, github.api_url, str(services.app.id), "no key at all"),
        AppAccess(session, github.api_url, str(services.app.id), other.private_key),
        AppAccess(session, github.api_url, "12345", services.app.private_key),
    ):
        with pytest.raises(OperatorNeeded):
            await access.token(named)
    await github.suspend(installation)
    with pytest.raises(NotAdmitted, match="suspended"):
        await good.token(named, fresh=True)
    github.uninstall(installation)
    with pytest.raises(NotAdmitted):
        await good.token(named, fresh=True)
