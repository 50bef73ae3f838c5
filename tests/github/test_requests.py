"""One request to GitHub, and a read that is repeated: what is sent, how often, and with which token."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import pytest

from claude_pool_gh.github import api
from claude_pool_gh.github.access import LOOKING_AT_WORKFLOWS, AppAccess
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import Client
from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    NotFound,
    RateLimited,
    RefusedOnTheWay,
    Unreadable,
    is_worded,
    message_of,
    sort_query_refusal,
    sort_refusal,
)
from claude_pool_gh.rehearsal.github import Exchange, Fault, Respond
from tests.github.test_answers import SECONDARY, Services, services

__all__ = ["services"]
YEAR = 365 * 86_400
ISSUE = "/repos/{owner}/{repo}/issues/{issue_number}"
LABELS = "/repos/{owner}/{repo}/labels"


def asked(services: Services, route: str) -> int:
    return sum(each.route == route for each in services.github.requests)


def queries(services: Services) -> list[dict[str, str]]:
    """What each request from now on asks for behind its path."""
    seen: list[dict[str, str]] = []

    def note(each: object) -> None:
        if isinstance(each, Exchange):
            seen.append(dict(each.query))

    services.github.observe(note)
    return seen


# ---- how often


async def test_a_read_is_made_four_times_and_a_write_once(services: Services) -> None:
    services.github.faults.add(Fault(Respond(502), route=ISSUE, times=99))
    with pytest.raises(ForgeUnavailable):
        await services.forge.read(services.named, "/issues/1")
    assert asked(services, ISSUE) == 4
    with pytest.raises(ForgeUnavailable):
        await services.forge.call("PATCH", services.named, "/issues/1", {"title": "z"})
    assert asked(services, ISSUE) == 5


async def test_a_refusal_is_asked_for_once(services: Services) -> None:
    services.github.faults.add(Fault(Respond(422, "no"), route=ISSUE, times=99))
    with pytest.raises(ForgeRefused):
        await services.forge.read(services.named, "/issues/1")
    services.github.faults.clear()
    with pytest.raises(NotFound):
        await services.forge.read(services.named, "/issues/2")
    assert asked(services, ISSUE) == 2


async def test_a_short_limit_is_waited_for_and_a_long_one_is_told(services: Services) -> None:
    limit = Respond(429, "slow down", {"Retry-After": "1"})
    services.github.faults.add(Fault(limit, route=ISSUE))
    began = time.monotonic()
    assert (await services.forge.read(services.named, "/issues/1"))["number"] == 1
    assert time.monotonic() - began >= 1
    longer = Respond(429, "slow down", {"Retry-After": "31"})
    services.github.faults.add(Fault(longer, route=ISSUE, times=99))
    before = asked(services, ISSUE)
    async with asyncio.timeout(25):
        with pytest.raises(RateLimited) as met:
            await services.forge.read(services.named, "/issues/1")
    assert (met.value.seconds, asked(services, ISSUE)) == (31, before + 1)


async def test_a_query_is_repeated_like_a_read(services: Services) -> None:
    down = b'{"data": null, "errors": [{"type": "SERVICE_UNAVAILABLE", "message": "x"}]}'
    services.github.faults.add(Fault(Respond(200, body=down), times=3))
    viewer = "query Viewer { viewer { login databaseId } }"
    assert (await services.forge.ask(services.named, viewer))["viewer"]["login"] == "mona"
    assert len(services.github.requests) == 4


# ---- with which token


async def test_a_token_that_is_refused_is_made_anew_once(services: Services) -> None:
    github = services.github
    installation = github.install(services.app, "octo", [services.shop])
    named = services.named.model_copy(update={"installation_id": installation.id})
    access = AppAccess(
        services.session, github.api_url, str(services.app.id), services.app.private_key
    )
    forge = Forge(services.session, github.api_url, access, patience=0.001)
    first = await access.token(named)
    del github.world.tokens[first]
    assert (await forge.call("GET", named, "/issues/1"))["number"] == 1
    assert asked(services, ISSUE) == 2
    github.faults.add(Fault(Respond(401, "Bad credentials"), route=ISSUE, times=99))
    with pytest.raises(ForgeRefused, match="401"):
        await forge.call("GET", named, "/issues/1")
    assert asked(services, ISSUE) == 4


async def test_what_others_may_not_do_is_asked_with_a_token_of_its_own(services: Services) -> None:
    github = services.github
    installation = github.install(services.app, "octo", [services.shop])
    installation.permissions = {**installation.permissions, "actions": "read"}
    named = services.named.model_copy(update={"installation_id": installation.id})
    access = AppAccess(
        services.session, github.api_url, str(services.app.id), services.app.private_key
    )
    forge = Forge(services.session, github.api_url, access, patience=0.001)
    await access.token(named)
    with pytest.raises(NotFound):
        await forge.call_once("GET", named, "/actions/workflows/x.yml", LOOKING_AT_WORKFLOWS)
    used = next(one.token_id for one in github.requests if "/actions/" in one.path)
    token = next(each for each in github.world.tokens.values() if each.id == used)
    assert dict(token.permissions or {}) == dict(LOOKING_AT_WORKFLOWS)
    assert token.secret != await access.token(named)


async def test_a_process_that_pushes_nothing_says_so(services: Services) -> None:
    with pytest.raises(ForgeRefused, match="403: this process pushes nothing"):
        await services.forge.pusher(services.named, "refs/heads/x", None, None)


# ---- what is sent


async def test_a_method_that_nobody_uses_is_no_request(services: Services) -> None:
    with pytest.raises(Unreadable, match="OPTIONS is not used here"):
        await services.forge.call("OPTIONS", services.named, "/issues/1")
    assert services.github.requests == []


async def test_what_is_not_told_is_not_in_the_query(services: Services) -> None:
    seen = queries(services)
    await services.forge.read(services.named, "/issues", state="all", creator=None, labels="a b&c")
    await services.forge.read(services.named, "/issues", creator=None)
    assert seen == [{"state": "all", "labels": "a b&c"}, {}]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("main", "main"),
        ("feature/a b", "feature%2Fa%20b"),
        ("..", ".."),
        ("a?b#c", "a%3Fb%23c"),
        ("é", "%C3%A9"),
    ],
)
def test_a_text_is_one_segment_of_a_path(text: str, path: str) -> None:
    assert segment(text) == path


async def test_a_redirect_that_keeps_the_method_is_followed_with_the_body(
    services: Services,
) -> None:
    there = f"{services.github.api_url}/repos/octo/shop/issues/1/comments"
    services.github.faults.add(Fault(Respond(307, "Moved", {"Location": there})))
    made = await services.forge.call("POST", services.named, "/issues/9/comments", {"body": "x"})
    assert made["body"] == "x"
    assert [one.body for one in services.shop.comments(1)] == ["x"]


async def test_an_answer_without_end_is_not_read(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claude_pool_gh.github.client._BODY_LIMIT", 100)
    services.github.faults.add(Fault(Respond(200, body=b"[" + b"1," * 60 + b"1]"), times=99))
    with pytest.raises(Unreadable, match="larger than 100 bytes"):
        await services.forge.call("GET", services.named, "/issues/1")


# ---- listings


def page(services: Services, *items: Any, key: str | None = None) -> None:
    body = json.dumps({key: list(items)} if key else list(items)).encode()
    services.github.faults.add(Fault(Respond(200, body=body), route=LABELS))


async def listed(services: Services, **more: Any) -> list[Any]:
    return [each async for each in services.forge.pages(services.named, "/labels", **more)]


async def test_a_listing_ends_with_the_first_page_that_is_not_full(services: Services) -> None:
    full = [{"n": number} for number in range(100)]
    seen = queries(services)
    page(services, *full)
    page(services, {"n": 100})
    assert [each["n"] for each in await listed(services, q="x")] == list(range(101))
    assert seen == [{"q": "x", "per_page": "100", "page": page} for page in ("1", "2")]
    page(services)
    assert await listed(services) == []


async def test_a_listing_of_an_object_is_found_by_its_name(services: Services) -> None:
    page(services, {"n": 1}, key="labels")
    assert await listed(services, key="labels") == [{"n": 1}]
    page(services, {"n": 1})
    assert await listed(services, key="labels") == [{"n": 1}], "as an older server may answer"


async def test_a_listing_is_not_asked_for_without_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PAGES_LIMIT", 3)
    full = [{"n": number} for number in range(100)]
    for _ in range(5):
        page(services, *full)
    assert len(await listed(services)) == 300


@pytest.mark.parametrize("items", [[1], [[]], [{"n": 1}, None]])
async def test_what_is_no_list_of_objects_is_no_listing(
    services: Services, items: list[Any]
) -> None:
    for _ in range(4):
        page(services, *items)
    with pytest.raises(Unreadable, match="no list of objects"):
        await listed(services)


# ---- what an answer means


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 60),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60),
        ({"retry-after": "the date in 90 seconds"}, 90),
        ({"retry-after": "-5"}, 60),
        ({"retry-after": "\u00b2"}, 60),
        ({"retry-after": "9" * 400}, YEAR),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1" + "0" * 400}, YEAR),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "90"}, 90),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-90"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, 60),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-reset": "90"}, 60),
        ({"retry-after": "7", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "90"}, 7),
    ],
)
def test_it_is_waited_as_long_as_an_answer_says(headers: Mapping[str, str], seconds: float) -> None:
    """A reset is told as a moment; here so many seconds from now."""
    if "date" in headers.get("retry-after", ""):
        headers = {"retry-after": formatdate(time.time() + 90, usegmt=True)}
    reset = headers.get("x-ratelimit-reset", "")
    if reset.lstrip("-").isdigit():
        headers = {**headers, "x-ratelimit-reset": str(int(time.time()) + int(reset))}
    error = sort_refusal(429, "slow down", headers)
    assert isinstance(error, RateLimited)
    assert error.seconds == pytest.approx(seconds, abs=1.5)
    assert error.told is (seconds != 60), "what is not told has to grow"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"message": "No."}, "No."),
        ({"message": "No", "errors": ["a", "b"]}, "No: a; b"),
        ({"message": "No", "errors": "a"}, "No: a"),
        ({"message": "No", "errors": [{"message": "a", "code": "c"}]}, "No: a"),
        ({"message": "No", "errors": [{"field": "head", "code": "invalid"}]}, "No: head invalid"),
        ({"message": "No", "errors": [{"code": "invalid"}, 5, None, {}]}, "No: invalid"),
        ({"errors": ["a"]}, "a"),
        ({"message": None}, "no reason given"),
        ([], "an answer of another form"),
    ],
)
def test_a_reason_is_told_in_githubs_own_words(body: Any, told: str) -> None:
    assert message_of(json.dumps(body).encode()) == told


@pytest.mark.parametrize(
    ("body", "worded"),
    [(b"", True), (b"{}", True), (b"null", True), (b"<p>", False), (b"[" * 100_000, False)],
)
def test_a_page_is_no_word_of_githubs(body: bytes, *, worded: bool) -> None:
    assert is_worded(body) == worded


def test_a_refusal_is_short_and_names_permissions_only_where_they_are_missing() -> None:
    needs = {"x-accepted-github-permissions": "issues=write"}
    assert str(sort_refusal(403, "x" * 900, needs)) == (
        f"GitHub answered 403: {'x' * 500} (needs the permission issues=write)"
    )
    assert str(sort_refusal(422, "no", needs)) == "GitHub answered 422: no"
    assert str(sort_refusal(502, "x" * 900, {})) == f"GitHub answered 502: {'x' * 200}"


@pytest.mark.parametrize(
    ("errors", "status", "message"),
    [
        ([{"type": "FORBIDDEN", "message": "a"}, {"message": "b"}], 403, "a"),
        ([{"message": "a"}, {"type": "NOT_FOUND", "message": "b"}], 404, "a"),
        ([{"type": "SOMETHING", "message": "a"}], 422, "a"),
        ([], 422, "an error without a word"),
    ],
)
def test_a_query_is_refused_in_the_words_of_its_first_error(
    errors: Any, status: int, message: str
) -> None:
    error = sort_query_refusal(errors)
    assert isinstance(error, ForgeRefused)
    assert (error.status, error.message) == (status, message)


def test_a_limit_of_a_query_is_waited_for_a_minute() -> None:
    limit = sort_query_refusal([{"message": SECONDARY}])
    assert isinstance(limit, RateLimited)
    assert limit.seconds == 60
    assert type(sort_query_refusal([{"type": "INTERNAL", "message": "x"}])) is ForgeUnavailable


async def test_a_connection_that_cannot_be_made_is_silence(services: Services) -> None:
    client = Client(services.session, "http://127.0.0.1:9")
    with pytest.raises(ForgeUnavailable, match="Connect"):
        await client.getitem("/x")


async def test_a_refusal_by_something_in_between_is_told_apart(services: Services) -> None:
    services.github.faults.add(Fault(Respond(404, body=b"no such page"), route=ISSUE, times=99))
    with pytest.raises(RefusedOnTheWay, match="the answer 404 is not GitHub's own"):
        await services.forge.call("GET", services.named, "/issues/1")
