"""What is noted of GitHub's answers: whose key was refused, and what is left of the hour."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.service.monitoring import clock_skew
from claude_pool_gh.service.monitoring.github_watch import GitHubWatch

PUBLIC, ENTERPRISE = "https://api.github.com", "https://git.example/api/v3/"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("api", "path"),
    [
        (PUBLIC, "/app"),
        (PUBLIC, "/app/installations"),
        (PUBLIC, "/app/hook/deliveries"),
        (ENTERPRISE, "/api/v3/app"),
        (ENTERPRISE, "/api/v3/app/installations/1/access_tokens"),
    ],
)
def test_a_refusal_of_what_the_app_s_own_key_asks_for_is_one_of_the_key(
    api: str, path: str
) -> None:
    watch = GitHubWatch.of(api)
    watch.note(401, path, None)
    assert watch.is_key_refused()
    watch.note(200, path, None)
    assert not watch.is_key_refused()


@pytest.mark.parametrize(
    ("api", "path"),
    [
        (PUBLIC, "/repos/octo/app"),
        (PUBLIC, "/repos/octo/app/issues/1"),
        (PUBLIC, "/repos/app/shop"),
        (PUBLIC, "/repos/octo/shop/contents/app/main.py"),
        (PUBLIC, "/application"),
        (PUBLIC, "/orgs/app"),
        (ENTERPRISE, "/api/v3/repos/octo/app"),
        (ENTERPRISE, "/api/v3/apps/claude-pool"),
    ],
)
def test_what_is_called_app_tells_nothing_of_the_key(api: str, path: str) -> None:
    watch = GitHubWatch.of(api)
    watch.note(401, path, None)
    assert not watch.is_key_refused(), "a repository's token was refused"
    own = f"{watch.root}/app"
    watch.note(401, own, None)
    watch.note(200, path, None)
    assert watch.is_key_refused(), "a repository's token was taken"


@pytest.mark.parametrize("status", [400, 403, 404, 422, 429])
def test_another_refusal_says_that_the_key_was_known(status: int) -> None:
    watch = GitHubWatch.of(PUBLIC)
    watch.note(401, "/app", None)
    watch.note(status, "/app/installations/9", None)
    assert not watch.is_key_refused()


def test_a_refused_key_is_forgotten_when_nobody_has_asked_for_a_while() -> None:
    clock = Clock()
    watch = GitHubWatch(clock)
    watch.note(401, "/app", None)
    clock.now += 899
    assert watch.is_key_refused()
    clock.now += 1
    assert not watch.is_key_refused()


def test_an_outage_begins_with_its_first_failure_and_says_nothing_of_the_key() -> None:
    clock = Clock()
    watch = GitHubWatch(clock)
    watch.note(401, "/app", 7)
    for status in (500, None, 503):
        watch.note(status, "/app", None)
        clock.now += 31
    assert watch.failing_since == 1_000.0
    assert (watch.failed, watch.rate_limit) == (1_062.0, 7)
    assert watch.is_away(92.9)
    assert not watch.is_away(93)
    assert watch.is_key_refused()
    watch.note(404, "/repos/octo/shop", None)
    assert not watch.is_away(0)


@pytest.fixture
async def api() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        left = {"X-RateLimit-Remaining": request.query["left"]} if "left" in request.query else {}
        return web.Response(status=int(request.query["status"]), headers=left)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0][:2])
    await runner.cleanup()


async def test_every_request_of_a_session_is_noted(api: str) -> None:
    watch = GitHubWatch.of(api)
    async with aiohttp.ClientSession(trace_configs=[watch.trace()]) as session:
        for query in ("status=200&left=4999", "status=304", "status=404&left=many", "status=401"):
            async with session.get(f"{api}/app?{query}"):
                pass
        assert (watch.rate_limit, watch.is_key_refused()) == (4_999, True)
        with pytest.raises(aiohttp.ClientError):
            await session.get("http://127.0.0.1:9/repos/octo/shop")
    assert watch.answers == {"200": 1, "304": 1, "404": 1, "401": 1, "unreachable": 1}
    assert watch.failing_since is not None


async def test_a_clock_that_was_set_since_the_last_answer_is_noticed(api: str) -> None:
    clock, day = Clock(), 86_400.0
    told = [time.time()]
    watch = GitHubWatch(clock, time_of_day=lambda: told[0])
    assert watch.clock_skew() is None, "nothing is known yet"
    async with aiohttp.ClientSession(trace_configs=[watch.trace()]) as session:
        await clock_skew.ask(session, "http://127.0.0.1:9/")
        assert watch.clock_skew() is None, "nothing was answered"
        await clock_skew.ask(session, f"{api}/?status=401")

    def days() -> int:
        skew = watch.clock_skew()
        assert skew is not None
        return round(skew / day)

    assert days() == 0
    clock.now += day
    told[0] += day
    assert days() == 0, "time has passed"
    told[0] -= 2 * day
    assert days() == 2
    told[0] += 31 * day
    assert days() == 29
