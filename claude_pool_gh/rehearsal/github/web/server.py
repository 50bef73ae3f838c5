"""The HTTP server: REST, GraphQL and git on one port of the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web

from claude_pool_gh.rehearsal.github.acts.deliveries import hear
from claude_pool_gh.rehearsal.github.routes import ROUTES
from claude_pool_gh.rehearsal.github.routes.graphql import PATH as GRAPHQL
from claude_pool_gh.rehearsal.github.state.deliveries import Delivery
from claude_pool_gh.rehearsal.github.state.world import World
from claude_pool_gh.rehearsal.github.web import registration
from claude_pool_gh.rehearsal.github.web.front import PREFIX, Front
from claude_pool_gh.rehearsal.github.web.journal import WebhookSent
from claude_pool_gh.rehearsal.github.web.table import Table
from claude_pool_gh.rehearsal.github.web.transport import Transport
from claude_pool_gh.rehearsal.github.web.webhooks import WebhookSender

MOST_BYTES = 256 * 1024 * 1024


@dataclass(slots=True)
class Server:
    """Requests in, webhooks out."""

    world: World
    loop: asyncio.AbstractEventLoop
    front: Front = field(init=False)
    sender: WebhookSender = field(init=False)

    def __post_init__(self) -> None:
        self.front = Front(self.world, Table.of(ROUTES))
        self.sender = WebhookSender(self.world, self.loop)
        self.world.site.listeners.append(partial(hear, self.world))
        self.world.senders += [self._show, self.sender.take]

    def _show(self, delivery: Delivery) -> None:
        seen = WebhookSent(delivery.event, delivery.action, delivery.payload)
        for observer in self.front.observers:
            observer(seen)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Listen on a free port until the block ends; the site's URL says which."""
        application = web.Application(client_max_size=MOST_BYTES)
        application.router.add_route("*", PREFIX + "{tail:/.*}", self.front.serve)
        application.router.add_route("POST", GRAPHQL, self.front.serve)
        application.router.add_route(
            "*", "/{owner}/{repo}.git/{tail:.*}", Transport(self.front).serve
        )
        registration.add_to(application, self.world)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.world.site.url = f"http://{host}:{port}"
        try:
            yield
        finally:
            await self.sender.close()
            await runner.cleanup()
