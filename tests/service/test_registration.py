"""The page on which a new App begins and ends: one exchange, whoever loads it how often, and nothing for strangers."""

from __future__ import annotations

import asyncio
import html
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from claude_pool_gh.service.init.kept import CreatedApp
from claude_pool_gh.service.init.registration import NotRegistered, Registration, register

APP: dict[str, Any] = {
    "id": 12,
    "slug": "claude-pool",
    "html_url": "https://github.com/apps/claude-pool",
    "pem": "the key",
    "webhook_secret": "the secret",
}
EVIL = "</textarea>'\"><script>alert(1)</script>"


@dataclass
class GitHub:
    """Answers the exchange of a code."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    status: int = 201
    answer: Any = field(default_factory=lambda: dict(APP))

    async def convert(self, request: web.Request) -> web.Response:
        self.asked.append(request.match_info["code"])
        await asyncio.sleep(0.05)
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    made = GitHub()
    app = web.Application()
    app.router.add_post("/app-manifests/{code}/conversions", made.convert)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = "http://{}:{}".format(*runner.addresses[0][:2])
    yield made
    await runner.cleanup()


@dataclass
class Person:
    """A browser on the pages, and what became of the App."""

    session: aiohttp.ClientSession
    registration: Registration
    here: str
    ending: asyncio.Task[CreatedApp]
    kept: list[CreatedApp]

    async def get(self, path: str = "", **query: str) -> tuple[int, str]:
        async with self.session.get(self.here + path, params=query) as answer:
            self.headers = answer.headers
            return answer.status, await answer.text()

    async def comes_back(self, code: str = "good", state: str | None = None) -> tuple[int, str]:
        own = self.registration.state if state is None else state
        return await self.get("/created", code=code, state=own)


Open = Callable[..., Any]


@pytest.fixture
async def opened(github: GitHub) -> AsyncIterator[Open]:
    opened: list[Person] = []

    async def open_(keep: Callable[[CreatedApp], None] | None = None, **more: Any) -> Person:
        kept: list[CreatedApp] = []
        given = {"organization": "", "api_url": github.url} | more
        registration = Registration(
            "https://github.com/", given["api_url"], given["organization"], keep or kept.append
        )
        shown: asyncio.Queue[str] = asyncio.Queue()
        manifest = {"name": EVIL}
        ending = asyncio.create_task(
            register(
                registration,
                lambda url: manifest | {"redirect_url": url},
                0,
                shown.put_nowait,
            )
        )
        person = Person(aiohttp.ClientSession(), registration, await shown.get(), ending, kept)
        opened.append(person)
        return person

    yield open_
    for each in opened:
        await each.session.close()
        each.ending.cancel()
        await asyncio.gather(each.ending, return_exceptions=True)


@pytest.mark.parametrize(
    ("organization", "target"),
    [
        ("", "https://github.com/settings/apps/new"),
        ("octo", "https://github.com/organizations/octo/settings/apps/new"),
    ],
)
async def test_the_page_posts_the_manifest_to_github_whole(
    opened: Open, organization: str, target: str
) -> None:
    person = await opened(organization=organization)
    status, page = await person.get()
    assert status == 200
    assert f"action='{target}?state={person.registration.state}'" in page
    assert EVIL not in page
    (value,) = re.findall(r"name=manifest value='([^']*)'", page)
    told = json.loads(html.unescape(value))
    assert told == {"name": EVIL, "redirect_url": f"{person.here}/created"}


async def test_nothing_but_our_own_script_runs_there_and_nobody_keeps_or_frames_it(
    opened: Open,
) -> None:
    person = await opened()
    _, page = await person.get()
    (nonce,) = re.findall(r"<script nonce=([\w-]+)>", page)
    policy = person.headers["Content-Security-Policy"]
    assert policy == f"default-src 'none'; script-src 'nonce-{nonce}'"
    await person.get()
    assert nonce not in person.headers["Content-Security-Policy"], "another one each time"
    for name, value in (
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
    ):
        assert person.headers[name] == value
    await person.comes_back("bad code")
    assert person.headers["Content-Security-Policy"] == "default-src 'none'"


async def test_an_app_is_kept_before_the_browser_hears_of_it(opened: Open, github: GitHub) -> None:
    person = await opened()
    status, page = await person.comes_back()
    assert [each.slug for each in person.kept] == ["claude-pool"]
    assert status == 200
    assert "href='https://github.com/apps/claude-pool/installations/new'" in page
    assert "the key" not in page
    assert "the secret" not in page
    assert (await person.ending).id == 12
    assert github.asked == ["good"]


async def test_a_page_that_is_loaded_twice_exchanges_once(opened: Open, github: GitHub) -> None:
    person = await opened()
    answers = await asyncio.gather(*(person.comes_back() for _ in range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert github.asked == ["good"]
    assert len(person.kept) == 1


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("good", ""),
        ("good", "another"),
        ("good", "é"),
        ("", None),
        ("a/../../b", None),
        ("a?b", None),
        ("x" * 201, None),
    ],
)
async def test_what_github_does_not_send_does_nothing(
    opened: Open, github: GitHub, code: str, state: str | None
) -> None:
    person = await opened()
    status, page = await person.comes_back(code, state)
    assert (status, github.asked, person.kept) == (400, [], [])
    assert "Nothing was done" in page
    assert not person.ending.done(), "it still waits"
    assert (await person.comes_back())[0] == 200


async def test_whoever_does_not_know_the_path_finds_nothing(opened: Open) -> None:
    person = await opened()
    root = person.here.removesuffix(person.registration.path)
    for path in ("/", "/created", person.registration.path[:-1]):
        async with person.session.get(root + path) as answer:
            assert answer.status == 404
    assert len(person.registration.path) > 30
    other = await opened()
    assert {other.registration.path, other.registration.state}.isdisjoint(
        {person.registration.path, person.registration.state}
    )


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (404, {"message": "Not Found"}, "did not hand out the App (404): its code is good for one"),
        (201, {**APP, "pem": None}, "GitHub's answer was not an App: delete it in your settings"),
        (201, {**APP, "html_url": "javascript:x"}, "GitHub's answer was not an App"),
        (201, ["no", "app"], "GitHub's answer was not an App"),
    ],
)
async def test_an_exchange_that_fails_ends_it_in_words_without_a_secret(
    opened: Open, github: GitHub, status: int, answer: Any, said: str
) -> None:
    github.status, github.answer = status, answer
    person = await opened()
    shown, page = await person.comes_back()
    assert (shown, person.kept) == (502, [])
    assert html.escape(said) in page
    assert "the secret" not in page
    with pytest.raises(NotRegistered, match=re.escape(said)) as raised:
        await person.ending
    assert "the secret" not in str(raised.value)


async def test_a_key_that_could_not_be_written_names_the_way_out(opened: Open) -> None:
    def full(_app: CreatedApp) -> None:
        raise OSError(28, "No space left on device")

    person = await opened(full)
    status, page = await person.comes_back()
    assert status == 502
    assert "No space left on device" in page
    with pytest.raises(NotRegistered, match="generate a new private key and a new webhook secret"):
        await person.ending


async def test_a_github_that_is_away_leaves_the_code_for_another_try(
    opened: Open, github: GitHub
) -> None:
    person = await opened(api_url="http://127.0.0.1:9")
    status, page = await person.comes_back()
    assert status == 503
    assert "Reload this page" in page
    assert not person.ending.done()
    person.registration.api_url = github.url
    assert (await person.comes_back())[0] == 200


async def test_a_port_that_is_taken_is_said() -> None:
    registration = Registration("https://github.com", "http://127.0.0.1:9", "", lambda _app: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NotRegistered, match=f"port {port} of this machine cannot be"):
            await register(registration, lambda _url: {}, port, lambda _page: None)
