"""The REST server: every API request goes through `Front.serve`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import socket
import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from claude_pool_gh.rehearsal.github.acts import rates
from claude_pool_gh.rehearsal.github.errors import RefusedError, missing
from claude_pool_gh.rehearsal.github.routes.call import Answer, Call
from claude_pool_gh.rehearsal.github.routes.route import NOBODY, Route
from claude_pool_gh.rehearsal.github.state.world import World
from claude_pool_gh.rehearsal.github.web import access
from claude_pool_gh.rehearsal.github.web.faults import (
    Faults,
    Hide,
    Kind,
    Moment,
    Phase,
    Reset,
    Respond,
    Stall,
    Truncate,
)
from claude_pool_gh.rehearsal.github.web.journal import Exchange, Observer, Request
from claude_pool_gh.rehearsal.github.web.table import Table

_LOG = logging.getLogger(__name__)

DOCS = "https://docs.github.com/rest"
PREFIX = "/api/v3"


class ConnectionCutError(Exception):
    """The client is to see its connection die."""


@dataclass(slots=True)
class Front:
    """Finds the route, the sender and the faults of a request, lets the handler act, and answers."""

    world: World
    table: Table
    faults: Faults = field(default_factory=Faults)
    requests: list[Request] = field(default_factory=list)
    unknown: list[Request] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one API request."""
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        found = self.table.find(request.method, path)
        raw = await request.read()
        visit = _Visit(self, request, path, raw, *(found or (None, {})))
        try:
            answer = await visit.run()
        except ConnectionCutError:
            visit.note(None)
            cut(request)
            return web.Response(status=500)
        visit.note(answer)
        return web.Response(status=answer.status, body=answer.body(), headers=visit.headers(answer))


@dataclass(slots=True)
class _Visit:
    front: Front
    request: web.Request
    path: str
    raw: bytes
    route: Route | None
    params: Mapping[str, str]
    sender: access.Sender = (None, None)
    refused: RefusedError | None = None
    injected: bool = False

    def identify(self) -> None:
        try:
            self.sender = access.sender(self.front.world, self.request.headers)
        except RefusedError as refused:
            self.refused = refused

    @property
    def token_id(self) -> str | None:
        token, app = self.sender
        return token.id if token is not None else f"app-{app.id}" if app is not None else None

    @property
    def actor(self) -> str | None:
        token, app = self.sender
        return token.user.login if token is not None else app.slug if app is not None else None

    async def run(self) -> Answer:
        self.identify()
        try:
            await self.strike("before", None)
            answer = self.act()
            answer = await self.strike("after", answer) or answer
        except _InsteadError as instead:
            self.injected = True
            answer = instead.answer
        return self.conditional(answer)

    def act(self) -> Answer:
        try:
            return self.handle()
        except RefusedError as refused:
            return refusal(refused)

    def handle(self) -> Answer:
        front = self.front
        if self.refused is not None and (self.route is None or self.route.needs != NOBODY):
            raise self.refused
        rates.spend(front.world, self.token_id or "", self.request.method)
        if self.route is None:
            raise missing()
        request = self.request
        call = Call(
            front.world,
            request.method,
            self.path,
            self.params,
            request.query,
            request.headers,
            self.raw,
            *self.sender,
        )
        access.check(call, self.route)
        return self.route.handler(call)

    async def strike(self, phase: Phase, answer: Answer | None) -> Answer | None:
        template = None if self.route is None else self.route.template
        moment = Moment(phase, self.request.method, self.path, template, self.raw, self.token_id)
        for hook in self.front.faults.hooks:
            await hook(moment)
        kind = self.front.faults.strike(moment)
        return None if kind is None else await self.suffer(kind, answer)

    async def suffer(self, kind: Kind, answer: Answer | None) -> Answer | None:
        match kind:
            case Respond():
                raise _InsteadError(injected(kind))
            case Reset():
                raise ConnectionCutError
            case Stall(seconds):
                await asyncio.sleep(seconds)
            case Truncate():
                body = b"" if answer is None else answer.body()
                raise _InsteadError(
                    Answer(200 if answer is None else answer.status, raw=body[: len(body) // 2])
                )
            case Hide(seconds):
                made = (
                    None
                    if answer is None or not isinstance(answer.json, dict)
                    else answer.json.get("id")
                )
                if isinstance(made, int):
                    self.front.world.site.hidden[made] = self.front.world.site.now() + seconds
        return None

    def conditional(self, answer: Answer) -> Answer:
        if self.request.method != "GET" or answer.status != 200 or self.injected:
            return answer
        tag = f'W/"{hashlib.sha256(answer.body()).hexdigest()}"'
        answer.headers["ETag"] = tag
        given = self.request.headers.get("If-None-Match", "")
        if tag not in [one.strip() for one in given.split(",")]:
            return answer
        rates.refund(self.front.world, self.token_id or "")
        return Answer(304, headers=answer.headers)

    def headers(self, answer: Answer) -> dict[str, str]:
        headers = {
            "Content-Type": answer.content_type,
            "Server": "github.com",
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-GitHub-Request-Id": uuid.uuid4().hex.upper(),
            "X-GitHub-Enterprise-Version": "3.19.0",
            **rates.headers(self.front.world, self.token_id or "anonymous"),
            **answer.headers,
        }
        if answer.status in (204, 304):
            del headers["Content-Type"]
        return headers

    def note(self, answer: Answer | None) -> None:
        front, request = self.front, self.request
        template = None if self.route is None else self.route.template
        status = None if answer is None else answer.status
        line = Request(
            request.method,
            self.path,
            template,
            status,
            self.actor,
            self.token_id,
            front.world.site.now(),
        )
        front.requests.append(line)
        if self.route is None and not self.injected:
            front.unknown.append(line)
            _LOG.warning(
                "not simulated: %s %s; a new operation is a row in routes/",
                request.method,
                self.path,
            )
        front.world.site.changed()
        if answer is None:
            return
        exchange = Exchange(
            request.method,
            self.path,
            template,
            self.params,
            dict(request.query),
            dict(request.headers),
            self.raw,
            answer.status,
            self.headers(answer),
            answer.body(),
            self.injected,
        )
        for observer in front.observers:
            observer(exchange)


class _InsteadError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refusal(refused: RefusedError) -> Answer:
    """GitHub's JSON for an error."""
    shape: dict[str, object] = {
        "message": refused.message,
        "documentation_url": DOCS,
        "status": str(refused.status),
    }
    if refused.errors:
        shape["errors"] = list(refused.errors)
    return Answer(refused.status, shape, refused.headers)


def injected(kind: Respond) -> Answer:
    """The answer that a fault asks for."""
    shape = {"message": kind.message, "documentation_url": DOCS}
    body = json.dumps(shape).encode() if kind.body is None else kind.body
    return Answer(kind.status, headers=dict(kind.headers), raw=body)


def cut(request: web.Request) -> None:
    """Reset the TCP connection, so that whatever is answered next never arrives."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
