"""The other side of the wire: a client and a receiver of webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from gidgethub.aiohttp import GitHubAPI
from gidgethub.sansio import Event

SECRET = "s3cret"


@dataclass
class Bot:
    """A gidgethub client with an installation token."""

    api: GitHubAPI
    session: aiohttp.ClientSession
    token: str

    async def raw(
        self, method: str, path: str, **more: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        async with self.session.request(
            method, self.api.base_url + path, headers=headers, **more
        ) as response:
            return response.status, response.headers, await response.read()


@dataclass
class Hooks:
    """Receives webhooks and verifies them as the bot does."""

    url: str = ""
    events: list[Event] = field(default_factory=list)
    status: int = 202

    @classmethod
    @asynccontextmanager
    async def listen(cls, secret: str = SECRET) -> AsyncIterator[Hooks]:
        hooks = cls()

        async def receive(request: web.Request) -> web.Response:
            hooks.events.append(
                Event.from_http(request.headers, await request.read(), secret=secret)
            )
            return web.Response(status=hooks.status, text="taken")

        application = web.Application()
        application.router.add_post("/webhook", receive)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        hooks.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
        try:
            yield hooks
        finally:
            await runner.cleanup()

    def names(self) -> list[str]:
        return [".".join(filter(None, (one.event, one.data.get("action")))) for one in self.events]
