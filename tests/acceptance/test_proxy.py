"""A server behind an egress proxy: everything goes through the one that is set, and nothing through another."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from claude_pool_gh.rehearsal import stage
from claude_pool_gh.rehearsal.reviewer import Reviewer
from tests.acceptance.world import world

_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-encoding"}


@asynccontextmanager
async def forwarding(seen: Counter[str]) -> AsyncIterator[str]:
    """A proxy that passes on what it is asked for, and counts it by host and port."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            url = request.raw_path
            seen[urlsplit(url).netloc] += 1
            headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP}
            asking = session.request(
                request.method,
                url,
                headers=headers,
                data=await request.read(),
                allow_redirects=False,
            )
            async with asking as found:
                told = {k: v for k, v in found.headers.items() if k.lower() not in _HOP}
                if "content-encoding" in found.headers:
                    told["Content-Encoding"] = found.headers["content-encoding"]
                told.pop("Content-Length", None)
                answer = web.StreamResponse(status=found.status, headers=told)
                await answer.prepare(request)
                async for piece in found.content.iter_any():
                    await answer.write(piece)
                return answer

        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0][:2])
        finally:
            await runner.cleanup()


async def test_github_git_and_the_model_are_reached_through_the_proxy_that_is_set(
    tmp_path: Path,
) -> None:
    seen: Counter[str] = Counter()
    dead = dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9"
    )
    async with (
        forwarding(seen) as proxy,
        world(tmp_path, more={**dead, "CLAUDE_POOL_PROXY": proxy}) as w,
    ):
        w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
        await w.say("/pool review")
        await w.reviewed()
        await w.written()
        github, model = urlsplit(w.github.url).netloc, urlsplit(w.model.url).netloc
        asked = len([one for one in w.github.requests if one.route])
        fetched = [one for one in w.github.requests if "git-upload-pack" in str(one.route or "")]
    assert fetched
    assert seen[model] >= 2
    assert 0 < seen[github] >= asked - 2, (
        "all but the App's own deliveries and the tests' questions"
    )
    assert set(seen) == {github, model}


async def test_without_a_setting_no_proxy_of_the_environment_is_heeded(tmp_path: Path) -> None:
    dead = dict.fromkeys(
        ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9"
    )
    async with world(tmp_path, more=dead) as w:
        w.model.script = Reviewer(stage.PLANTED[1:2], quick=True)
        await w.say("/pool review")
        await w.reviewed()
        assert ((w.check and w.check.title) or "").startswith("1 finding")
