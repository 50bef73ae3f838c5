"""The webhook app's HTTP face."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from aiohttp import web

from claude_pool_gh.conversation import downloads
from claude_pool_gh.conversation.changes import gates
from claude_pool_gh.github import inbox, intake
from claude_pool_gh.github.deliveries import BODY_LIMIT, Rejected, VerifiedDelivery, verify
from claude_pool_gh.pool.model.errors import UnknownChain
from claude_pool_gh.pool.store import chains
from claude_pool_gh.service.monitoring import spans
from claude_pool_gh.service.monitoring.endpoints import healthz, readyz
from claude_pool_gh.service.server.bounds import (
    BodyBudget,
    Connections,
    LogLimiter,
    connections_for,
    raise_file_limit,
)
from claude_pool_gh.service.server.incoming import STORED_WITHIN
from claude_pool_gh.service.server.runtime import Runtime
from claude_pool_gh.service.server.too_much import TooMuch
from claude_pool_gh.service.settings import Settings
from claude_pool_gh.storage import Transaction

logger = logging.getLogger(__name__)

_BODY_SECONDS: Final = STORED_WITHIN
"""For a body to come: later than this it is not stored in time either."""
_SHORT: Final = 16 * 1024
"""Bytes of a body that is read in less time than it takes to hand it to another thread and back, if there are many."""
_Read: TypeAlias = tuple[VerifiedDelivery, intake.Found | intake.NotForUs] | Rejected


class WebhookApp:
    """Takes deliveries for one house."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._house = runtime
        self._secrets, self._links = settings.secrets, settings.links
        self.counts: Counter[str] = Counter()
        """How many deliveries were answered with each HTTP status."""
        self._bodies = BodyBudget()
        # One for each status: whoever sends nonsense leaves room for what the operator should know.
        self._sparing: dict[int, LogLimiter] = defaultdict(LogLimiter)
        self.connections = Connections(connections_for(raise_file_limit()))

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self.connections.middleware])
        app.router.add_post("/webhook", self._webhook)
        app.router.add_get("/healthz", healthz)
        app.router.add_get("/readyz", partial(readyz, self._house.monitor))
        app.router.add_get(r"/chains/{chain_id:[0-9a-f]{10}}.{suffix:patch|md}", self._download)
        return app

    async def _webhook(self, request: web.Request) -> web.Response:
        try:
            return await self._delivered(request, self._house.incoming.now())
        except TooMuch as error:
            return self._answer(error.status, str(error))

    async def _delivered(self, request: web.Request, begun: float) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await self._bodies.read(request.content.iter_any(), BODY_LIMIT)
        except TimeoutError:
            return self._answer(408, "too slow")
        self.connections.came_whole(request)
        try:
            match await self._read(request.headers, body, begun):
                case Rejected(status, reason):
                    return self._answer(status, reason)
                case (delivery, found):
                    return await self._take(delivery, found, begun)
        finally:
            self._bodies.release(len(body))

    async def _read(self, headers: Mapping[str, str], body: bytes, begun: float) -> _Read:
        """Verify and read a body; whatever stands in a long one, others are served meanwhile."""
        if len(body) <= _SHORT:
            return _read(self._secrets, headers, body)
        reading = asyncio.to_thread(_read, self._secrets, headers, body)
        return await self._house.incoming.in_time(reading, begun)

    async def _take(
        self, delivery: VerifiedDelivery, found: intake.Found | intake.NotForUs, begun: float
    ) -> web.Response:
        """Durable first, then 202; the work happens outside the request."""
        if isinstance(found, intake.NotForUs):
            return self._answer(400 if found.malformed else 202, found.reason)
        if not found:
            return self._answer(202, "nothing for us in it")
        now, asked = self._house.clock.now_ms(), found.requests
        told = self._house.event_handler.take

        def taken_in(tx: Transaction) -> int:
            return inbox.take_in(tx, delivery, found, now, told)

        new = await self._house.incoming.stored(
            lambda: self._house.database.transact(taken_in), begun
        )
        for request in asked if new else ():
            span = spans.of_delivery(delivery, request, now, self._house.clock.now_ms())
            self._house.traces.add(span)
        self._house.wake()
        if found.events:
            self._house.writer.wake()
        return self._answer(202, f"{new} new" if new or not found.requests else "known already")

    async def _download(self, request: web.Request) -> web.Response:
        """A patch or a report, for whoever was shown its address; without the right key it does not exist."""
        chain_id, given = request.match_info["chain_id"], request.query.get("key", "")
        what: downloads.What = "patch" if request.match_info["suffix"] == "patch" else "report"
        if not downloads.may_have(self._links, chain_id, what, given):
            raise web.HTTPNotFound
        body = await self._house.database.read(lambda tx: self._body(tx, chain_id, what))
        if not body:
            raise web.HTTPNotFound
        headers = {
            "Content-Disposition": f'attachment; filename="{chain_id}.{downloads.SUFFIXES[what]}"'
        }
        safe = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        return web.Response(
            body=body, content_type="text/plain", charset="utf-8", headers=headers | safe
        )

    def _body(self, tx: Transaction, chain_id: str, what: downloads.What) -> bytes:
        try:
            if what == "report":
                return self._house.progress.whole(tx, chain_id).encode()
            work = gates.work_of(tx, chains.get(tx, chain_id))
        except UnknownChain:
            return b""
        return b"" if work is None else work.patch

    def _answer(self, status: int, text: str) -> web.Response:
        self.counts[str(status)] += 1
        if status >= 400:
            line = self._sparing[status].line(f"delivery: {text}", time.monotonic())
            if line is not None:
                logger.warning("%s", line, extra={"action": "delivery_refused", "status": status})
        return web.Response(status=status, text=f"{text}\n")


def _read(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> _Read:
    delivery = verify(secrets, headers, body)
    return delivery if isinstance(delivery, Rejected) else (delivery, intake.recognise(delivery))
