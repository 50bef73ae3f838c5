"""The lines in the simulated GitHub's README work as they stand, with a bot that is none of ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from textwrap import indent
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from gidgethub.aiohttp import GitHubAPI
from gidgethub.apps import get_installation_access_token
from gidgethub.sansio import Event

from claude_pool_gh.rehearsal import github

StartBot = Callable[[str, int, str, str], Awaitable[str]]


@pytest.fixture
async def start_my_bot() -> AsyncIterator[StartBot]:
    """A bot of ten lines: it answers /hello."""
    runners: list[web.AppRunner] = []
    answers: list[asyncio.Task[None]] = []

    async def start(api: str, app: int, key: str, secret: str) -> str:
        async def answer(event: Event) -> None:
            async with aiohttp.ClientSession() as session:
                client = GitHubAPI(session, "my-bot", base_url=api)
                installation = str(event.data["installation"]["id"])
                token = await get_installation_access_token(
                    client, installation_id=installation, app_id=str(app), private_key=key
                )
                await client.post(
                    event.data["issue"]["comments_url"],
                    data={"body": "Hello!"},
                    oauth_token=token["token"],
                )

        async def heard(request: web.Request) -> web.Response:
            event = Event.from_http(request.headers, await request.read(), secret=secret)
            if event.event == "issue_comment" and event.data["comment"]["body"] == "/hello":
                answers.append(asyncio.create_task(answer(event)))
            return web.Response(status=202)

        application = web.Application()
        application.router.add_post("/", heard)
        runner = web.AppRunner(application)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}/"

    yield start
    await asyncio.gather(*answers)
    for runner in runners:
        await runner.cleanup()


async def test_the_ten_lines_of_the_readme_work(start_my_bot: StartBot, tmp_path: Path) -> None:
    readme = files(github).joinpath("README.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(lines.splitlines()) == 10
    scope: dict[str, Any] = {**vars(github), "folder": tmp_path, "start_my_bot": start_my_bot}
    exec(f"async def main():\n{indent(lines, '    ')}", scope)  # noqa: S102 - our own lines
    await scope["main"]()


def test_the_readme_names_every_layer_and_no_other() -> None:
    folder = files(github)
    readme = folder.joinpath("README.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([\w.]+)/?` \|", readme, re.MULTILINE))
    there = {each.name for each in folder.iterdir()} - {"README.md", "__init__.py", "__pycache__"}
    assert named == there
