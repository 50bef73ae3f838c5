"""The HTTP side of the scripted model."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from claude_pool_gh.rehearsal.model import stream
from claude_pool_gh.rehearsal.model.bill import Bill, Usage
from claude_pool_gh.rehearsal.model.script import (
    Answer,
    Fail,
    ModelRequest,
    Raw,
    Reply,
    Script,
    Text,
)

_REQUEST_LIMIT = 64 * 2**20


class ScriptedModel:
    """A Messages API on loopback. Read `requests` and `bill` afterwards; swap `script` at any time."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.counts: Callable[[ModelRequest], int] | None = None
        """The count of a request's tokens where that is asked for; None: nothing is counted here."""
        self.requests: list[ModelRequest] = []
        self.bill = Bill()
        self.url = ""
        self.refuses: str | None = None
        """A key that it does not take."""
        self.unknown: frozenset[str] = frozenset()
        """Models that it does not have."""

    @classmethod
    @asynccontextmanager
    async def start(cls, script: Script) -> AsyncIterator[ScriptedModel]:
        """Serve on a free port of the loopback interface until the block ends."""
        model = cls(script)
        app = web.Application(client_max_size=_REQUEST_LIMIT)
        app.router.add_route("*", "/{path:.*}", model._answer)
        runner = web.AppRunner(
            app, shutdown_timeout=0.2, handler_cancellation=True, access_log=None
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        model.url = f"http://{host}:{port}"
        try:
            yield model
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "/v1/models/" in request.path:
            return self._model(request)
        if request.path.endswith("/v1/messages/count_tokens") and self.counts is not None:
            raw = await request.read()
            asked = ModelRequest(request.path, dict(request.headers), json.loads(raw), len(raw))
            return web.json_response({"input_tokens": self.counts(asked)})
        if request.method != "POST" or not request.path.endswith("/v1/messages"):
            return web.json_response(_error("not_found_error", "not scripted"), status=404)
        raw = await request.read()
        asked = ModelRequest(request.path, dict(request.headers), json.loads(raw), len(raw))
        self.requests.append(asked)
        reply = await self._reply(asked)
        match reply:
            case Fail():
                body = _error(reply.kind, reply.message)
                return web.json_response(body, status=reply.status, headers=reply.headers)
            case Raw():
                return web.Response(
                    body=reply.body, status=reply.status, content_type=reply.content_type
                )
            case Answer():
                return await self._send(request, asked, reply)

    def _model(self, request: web.Request) -> web.Response:
        """One model, by its id."""
        name = request.path.rpartition("/")[2]
        if not (key := request.headers.get("x-api-key")) or key == self.refuses:
            return web.json_response(
                _error("authentication_error", "invalid x-api-key"), status=401
            )
        if name in self.unknown:
            return web.json_response(_error("not_found_error", f"model: {name}"), status=404)
        return web.json_response(
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2026-01-01T00:00:00Z",
            }
        )

    async def _reply(self, asked: ModelRequest) -> Reply:
        reply = self.script(asked)
        return await reply if inspect.isawaitable(reply) else reply

    async def _send(
        self, request: web.Request, asked: ModelRequest, answer: Answer
    ) -> web.StreamResponse:
        usage = answer.usage or _estimate(asked, answer)
        await asyncio.sleep(answer.delay)
        if not asked.body.get("stream"):
            self.bill.add(asked.model, usage)
            return web.json_response(stream.message(answer, asked.model, usage))
        return await self._stream(request, asked, answer, usage)

    async def _stream(
        self, request: web.Request, asked: ModelRequest, answer: Answer, usage: Usage
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(stream.opening(answer, asked.model, usage))
        for index, block in enumerate(answer.blocks):
            if index == answer.stall_after:
                await asyncio.sleep(3600)
            if index == answer.cut_after:
                self.bill.add(asked.model, usage)
                _reset(request)
                return response
            for event in stream.block_events(index, block):
                await response.write(event)
            await asyncio.sleep(answer.pause)
        self.bill.add(asked.model, usage)
        await response.write(stream.closing(answer, usage))
        await response.write_eof()
        return response


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _error(kind: str, message: str) -> dict[str, object]:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _estimate(asked: ModelRequest, answer: Answer) -> Usage:
    """Counts that grow with the texts, so that costs in a rehearsal look like costs."""
    written = sum(
        len(b.text if isinstance(b, Text) else json.dumps(dict(b.input))) for b in answer.blocks
    )
    # the API never writes more
    output = min(1 + written // 4, int(asked.body.get("max_tokens", 4096)))
    return Usage(input_tokens=asked.size // 4, output_tokens=output)
