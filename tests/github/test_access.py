"""Tokens: whose they are, how narrow, how long one is kept, and what is told of what was not granted."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from claude_pool_gh.github import access as module
from claude_pool_gh.github.access import PERMISSIONS, PUSHING, Account, AppAccess, JobAccess
from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    NotAdmitted,
    NotFound,
    OperatorNeeded,
)
from claude_pool_gh.rehearsal.github import Fault, Installation, Repository, Respond
from claude_pool_gh.terms.ids import Repository as Named
from tests.github.test_answers import Services, services

__all__ = ["services"]
MINT = "/app/installations/{installation_id}/access_tokens"
VIEWER = "/api/graphql"


def named(repository: Repository, installation: Installation) -> Named:
    owner, _, name = repository.full_name.partition("/")
    return Named(id=repository.id, owner=owner, name=name, installation_id=installation.id)


def app(services: Services) -> AppAccess:
    return AppAccess(
        services.session,
        services.github.api_url,
        str(services.app.id),
        services.app.private_key,
    )


def minted(services: Services) -> int:
    return sum(each.route == MINT for each in services.github.requests)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the seconds that have passed."""
    now = [1_000.0]
    stopped = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("claude_pool_gh.github.access.time", stopped)

    def passed(seconds: float) -> None:
        now[0] = 1_000.0 + seconds

    return passed


async def test_a_token_is_kept_while_it_is_good_and_made_anew_when_it_was_refused(
    services: Services, clock: Callable[[float], None]
) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    shop, access = named(services.shop, installation), app(services)
    first = await access.token(shop)
    clock(3_000 - 1)
    assert await access.token(shop) == first
    clock(3_000)
    second = await access.token(shop)
    assert await access.token(shop) == second != first
    third = await access.token(shop, fresh=True)
    assert await access.token(shop) == third != second
    assert minted(services) == 3


async def test_once_the_clock_is_right_the_app_is_let_in_at_once(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, real = app(services), time.time
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: real() + 86_400)
        services.github.clock.advance(-86_400)
        with pytest.raises(OperatorNeeded, match="'Issued at'"):
            await access.as_app("GET", "/app")
    services.github.clock.advance(86_400)
    assert (await access.as_app("GET", "/app"))["slug"] == services.app.slug


async def test_a_token_speaks_to_one_repository_and_may_not_push(services: Services) -> None:
    other = services.github.create_repository("octo/secret", private=True)
    installation = services.github.install(services.app, "octo", [services.shop, other])
    shop, access = named(services.shop, installation), app(services)
    forge = Forge(services.session, services.github.api_url, access, patience=0.001)
    token = services.github.world.tokens[await access.token(shop)]
    assert (token.repositories, token.permissions) == (frozenset({shop.id}), PERMISSIONS)
    pushing = services.github.world.tokens[await access.token_once(shop, PUSHING)]
    assert (pushing.repositories, pushing.permissions) == (frozenset({shop.id}), PUSHING)
    assert await access.token(shop) == token.secret, "one that was made for a push is not kept"
    assert (await forge.read(named(other, installation), ""))["private"], "it has one of its own"
    assert minted(services) == 3


async def test_a_repository_that_has_changed_hands_is_spoken_to_with_another_token(
    services: Services,
) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    shop, access = named(services.shop, installation), app(services)
    first = await access.token(shop)
    elsewhere = services.github.install(services.app, "others", [services.shop])
    assert await access.token(named(services.shop, elsewhere)) != first
    assert await access.token(shop) == first


async def test_a_repository_that_the_installation_does_not_see_gets_none(
    services: Services,
) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    other = services.github.create_repository("octo/other")
    with pytest.raises(NotAdmitted):
        await app(services).token(named(other, installation))


async def test_what_was_not_granted_is_told_until_it_is(services: Services) -> None:
    granted = {"contents": "read", "issues": "write", "metadata": "read"}
    installation = services.github.install(services.app, "octo", [services.shop])
    installation.permissions = {**granted, "checks": "read"}
    shop, access = named(services.shop, installation), app(services)
    assert access.lacking(shop) is None, "nothing was asked yet"
    token = services.github.world.tokens[await access.token(shop)]
    missing = access.lacking(shop)
    assert missing is not None
    assert missing.permissions == ("checks: write", "pull_requests: write", "statuses: write")
    assert missing.url.endswith(f"/installations/{installation.id}/permissions/update")
    assert dict(token.permissions or {}) == granted
    installation.permissions = dict(PERMISSIONS)
    await access.token(shop)
    assert access.lacking(shop) == missing, "the token that is kept still lacks it"
    await access.token(shop, fresh=True)
    assert access.lacking(shop) is None


async def test_more_than_is_needed_is_enough(services: Services) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    installation.permissions = {"contents": "write", "metadata": "read", "issues": "write"}
    shop, access = named(services.shop, installation), app(services)
    token = services.github.world.tokens[await access.token(shop)]
    assert dict(token.permissions or {})["contents"] == "read"
    missing = access.lacking(shop)
    assert missing is not None
    assert "contents: read" not in missing.permissions


async def test_what_one_act_may_not_have_is_refused_and_nobody_is_shut_out(
    services: Services,
) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    installation.permissions = dict(PERMISSIONS)
    shop, access = named(services.shop, installation), app(services)
    with pytest.raises(ForgeRefused) as met:
        await access.token_once(shop, PUSHING)
    assert type(met.value) is ForgeRefused
    assert met.value.status == 422
    lacks = await access.may_push(shop)
    assert lacks is not None
    assert lacks.permissions == ("contents: write",)
    assert lacks.url.endswith("/permissions/update")
    installation.permissions = {**PERMISSIONS, "contents": "write"}
    assert await access.may_push(shop) is None


async def test_a_token_that_cannot_be_made_now_is_asked_for_again(services: Services) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    shop, access = named(services.shop, installation), app(services)
    services.github.faults.add(Fault(Respond(502), route=MINT))
    with pytest.raises(ForgeUnavailable):
        await access.token(shop)
    assert await access.token(shop)
    assert access.lacking(shop) is None


async def test_our_account_is_the_apps_bot_and_asked_for_once(services: Services) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    shop, access = named(services.shop, installation), app(services)
    bot = services.app.bot
    assert await access.account(shop) == Account(bot.id, "claude-pool[bot]")
    before = len(services.github.requests)
    assert await access.own_id(shop) == bot.id
    assert len(services.github.requests) == before


async def test_a_sibling_is_found_where_the_same_installation_sees_it(services: Services) -> None:
    github = services.github
    defaults, hidden = (github.create_repository(f"octo/{each}") for each in (".github", "hidden"))
    installation = github.install(services.app, "octo", [services.shop, defaults])
    shop, access = named(services.shop, installation), app(services)
    assert await access.sibling(shop, ".github") == named(defaults, installation)
    assert await access.sibling(shop, "hidden") is None
    assert await access.sibling(shop, "no-such") is None
    github.faults.add(Fault(Respond(502), route=MINT))
    with pytest.raises(ForgeUnavailable):  # not now is no answer
        await access.sibling(shop, ".github")
    github.faults.add(Fault(Respond(201, body=b'{"token": "x"}'), route=MINT))
    assert await access.sibling(shop, ".github") is None, "an older server may name none"
    assert hidden.full_name == "octo/hidden"


async def test_all_repositories_of_an_installation_are_listed(services: Services) -> None:
    github = services.github
    some = [github.create_repository(f"octo/r{number}", files={}) for number in range(3)]
    installation = github.install(services.app, "octo", some)
    seed = installation.repositories
    installation.repositories = [seed[number % 3] for number in range(101)]
    found = await app(services).repositories_of(installation.id)
    assert [each["name"] for each in found] == [each.name for each in installation.repositories]
    listings = [one for one in github.requests if one.route == "/installation/repositories"]
    assert len(listings) == 2


# ---- a job's token


def job(services: Services, token: str, login: str = module.ACTIONS_BOT) -> JobAccess:
    return JobAccess(services.session, services.github.api_url, token, login)


async def test_a_job_speaks_as_whoever_its_token_is_of(services: Services) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    own = services.github.create_token(services.github.actions_bot, services.shop)
    anothers = services.github.create_installation_token(installation)
    for token, bot in ((own, services.github.actions_bot), (anothers, services.app.bot)):
        access = job(services, token)
        assert await access.account(services.named) == Account(bot.id, bot.login)
        assert await access.own_id(services.named) == bot.id
        assert await access.token(services.named, fresh=True) == token
        assert await access.token_once(services.named, PUSHING) == token


@pytest.mark.parametrize(
    "answer",
    [
        Respond(403, "Resource not accessible by integration"),
        Respond(200, body=b'{"data": {"viewer": null}}'),
        Respond(200, body=b'{"data": {"viewer": {"login": "x", "databaseId": null}}}'),
        Respond(200, body=b'{"data": null, "errors": [{"type": "FORBIDDEN", "message": "x"}]}'),
    ],
)
async def test_where_github_does_not_say_whose_it_is_a_job_has_its_usual_name(
    services: Services, answer: Respond
) -> None:
    token = services.github.create_token(services.mona)
    fault = services.github.faults.add(Fault(answer, route=VIEWER))
    usual = services.github.create_user("usual")
    access = job(services, token, "usual")
    assert await access.account(services.named) == Account(usual.id, "usual")
    assert fault.hits == 1


async def test_an_outage_gives_a_job_no_other_name(services: Services) -> None:
    token = services.github.create_token(services.mona)
    services.github.faults.add(Fault(Respond(502), route=VIEWER))
    access = job(services, token, "nobody-has-this-name")
    with pytest.raises(ForgeUnavailable):
        await access.account(services.named)
    assert (await access.account(services.named)).login == "mona"
    services.github.faults.add(Fault(Respond(403, "no"), route=VIEWER))
    with pytest.raises(NotFound):
        await job(services, token, "nobody-has-this-name").account(services.named)


async def test_a_job_cannot_know_what_it_lacks_and_sees_no_other_repository(
    services: Services,
) -> None:
    access = job(services, "t")
    assert access.lacking(services.named) is None
    assert await access.may_push(services.named) is None
    assert await access.sibling(services.named, "shop") is None
    assert services.github.requests == []


async def test_no_key_and_no_token_is_in_what_is_printed_of_access(services: Services) -> None:
    installation = services.github.install(services.app, "octo", [services.shop])
    access = app(services)
    token = await access.token(named(services.shop, installation))
    assert token not in repr(access)
    line = services.app.private_key.split("\n")[1]
    assert len(line) > 40
    assert line not in repr(access)
    assert "s3cret" not in repr(job(services, "s3cret"))
