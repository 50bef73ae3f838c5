"""The loopback proxy between every agent and the model's API.

It holds the real key, which no agent sees; knows by its path which run a request belongs to; lets it use only
that run's models; and asks the meter before each request goes out. An answer is read to its end even when the
agent is gone, so that what the API reports is booked.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from claude_pool_gh.agent import prices
from claude_pool_gh.agent.meter import Admitted, Meter
from claude_pool_gh.agent.usage import StreamUsage, whole_usage

logger = logging.getLogger(__name__)

PLACEHOLDER_KEY: Final = "held-by-the-gateway"
_BODY_LIMIT: Final = 64 * 2**20
_LEAST_THINKING: Final = 1024  # the API refuses less
_FORWARDED: Final = ("anthropic-version", "anthropic-beta", "content-type", "accept", "user-agent")
_RETURNED: Final = ("content-type", "retry-after", "request-id")
_PATIENCE: Final = 120.0
"""Seconds that a 429 may ask to wait before it counts as an exhausted quota."""
_HALF_A_DAY: Final = 43_200
_UNWANTED: Final = 1.0
"""Seconds that open answers are read on when nobody wants the run any more."""
_CANCELLED: Final = 3.0
"""The same when its task was cancelled; the pool waits for 4 until it believes that the run cannot be ended."""
_NO_MONEY: Final = (
    "the money set aside for this run, ${:.2f}, has ${:.2f} left, which does not pay for another request"
)
_AFTER_A_BREAK: Final = (
    ", since the model's API broke off an earlier answer and that counts at its worst case"
)


@dataclass(slots=True)
class Pass:
    """One run's way through the gateway. `verdict` is why the gateway refused it, if it did."""

    run_id: str
    models: frozenset[str]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    verdict: str | None = None
    detail: str = ""
    answers: set[asyncio.Task[None]] = field(default_factory=set)
    unknown: bool = False
    """Whether an answer broke off, so that it counts at its worst case."""
    read_on: float = 0.0
    """Seconds that answers still open at the run's end are read on."""

    def hurry(self, seconds: float = _UNWANTED) -> None:
        """Nobody wants the run any more: it ends soon, not when its last answer does."""
        self.read_on = min(self.read_on, seconds)

    def refuse(self, verdict: str, detail: str) -> None:
        """Note the first reason for which the run cannot go on: `budget`, `model`, `key` or `quota`."""
        if self.verdict is None:
            self.verdict, self.detail = verdict, detail


class Gateway:
    """Serves on a free port of the loopback interface between `start` and `close`."""

    def __init__(self, meter: Meter, upstream: str, key: str, *, read_on: float = 8.0) -> None:
        """`read_on`: seconds that a finished run's open answers are read on, then booked as an upper bound."""
        self._read_on_seconds = read_on
        self._meter = meter
        self._upstream = upstream.rstrip("/")
        self._key = key
        self._passes: dict[str, Pass] = {}
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._url = ""

    async def start(self) -> None:
        """Begin to serve."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        app.router.add_post("/run/{token}/v1/messages", self._messages)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=600)
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=True, read_bufsize=2**20)

    async def close(self) -> None:
        """Stop serving; answers still open are left to be settled at the next start."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def admit(self, run_id: str, models: frozenset[str]) -> AsyncIterator[tuple[Pass, str]]:
        """Let a run through while the block lasts; gives its pass and its base URL."""
        run = Pass(run_id, models, read_on=self._read_on_seconds)
        self._passes[run.token] = run
        try:
            yield run, f"{self._url}/run/{run.token}"
        except asyncio.CancelledError:
            run.hurry(_CANCELLED)
            raise
        finally:
            del self._passes[run.token]
            await asyncio.shield(_read_on(run))

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        run = self._passes.get(request.match_info["token"])
        if run is None:
            return _error(404, "not_found_error", "this run is over")
        raw = await request.read()
        body = _parse(raw)
        if body is None:
            return _error(400, "invalid_request_error", "the body is not a JSON object")
        model = str(body.get("model", ""))
        if model not in run.models:
            run.refuse("model", f"the agent asked for the model {model!r}, which this step may not use")
            return _error(402, "billing_error", run.detail)
        asked = body.get("max_tokens")
        size, tokens = prices.weigh(body, len(raw)), asked if isinstance(asked, int) and asked > 0 else 4096
        admitted = await self._meter.admit(run.run_id, model, size, tokens)
        if admitted is None:
            granted, left = (amount / 1e6 for amount in await self._meter.rest(run.run_id))
            run.refuse("budget", _NO_MONEY.format(granted, left) + (_AFTER_A_BREAK if run.unknown else ""))
            return _error(402, "billing_error", run.detail)
        if run.token not in self._passes:  # it ended while the money was being set aside
            await self._meter.settle_unanswered(admitted.request_id)
            return _error(404, "not_found_error", "this run is over")
        return await self._forward(request, run, model, _lowered(body, admitted.max_tokens), admitted)

    async def _forward(
        self, request: web.Request, run: Pass, model: str, body: dict[str, Any], admitted: Admitted
    ) -> web.StreamResponse:
        """Hand the answer on piece by piece, while a task of its own fetches, reads and books it to the end."""
        call = _Call(run, model, admitted, body, dict(request.query), _pick(request.headers, _FORWARDED))
        fetching = asyncio.create_task(self._exchange(call))
        run.answers.add(fetching)
        fetching.add_done_callback(run.answers.discard)
        head = await call.head
        if isinstance(head, web.Response):
            return head
        with suppress(ConnectionError):  # the agent is gone; the reading goes on
            await head.prepare(request)
            while (piece := await call.pieces.get()) is not None:
                await head.write(piece)
            if call.broken and request.transport is not None:
                request.transport.abort()
            await head.write_eof()
        return head

    async def _exchange(self, call: _Call) -> None:
        """Ask the API and book what came of it, whoever still listens; whatever happens, nobody waits for ever."""
        try:
            await self._ask_and_book(call)
        finally:
            call.answer(_error(502, "api_error", "the answer of the model's API was lost"))
            call.pieces.put_nowait(None)

    async def _ask_and_book(self, call: _Call) -> None:
        try:
            upstream = await self._ask(call)
        except aiohttp.ClientConnectorError as error:  # never reached, so never paid
            await self._meter.settle_unanswered(call.admitted.request_id)
            return call.answer(_unreachable(error))
        except (aiohttp.ClientError, TimeoutError) as error:
            await self._book(call, None)  # nobody knows whether the API worked for it
            return call.answer(_unreachable(error))
        async with upstream:
            if upstream.status != 200:
                return call.answer(await self._refused(call.run, upstream, call.admitted))
            return await self._read(call, upstream)

    async def _ask(self, call: _Call) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the gateway is not started")
        headers = call.headers | {"x-api-key": self._key}
        url = f"{self._upstream}/v1/messages"
        return await self._session.post(
            url, params=call.query, json=call.body, headers=headers, allow_redirects=False
        )

    async def _refused(self, run: Pass, upstream: aiohttp.ClientResponse, admitted: Admitted) -> web.Response:
        await self._meter.settle_unanswered(admitted.request_id)
        body = await upstream.read()
        if upstream.status in (401, 403):
            run.refuse("key", f"the model's API refused the server's key (HTTP {upstream.status})")
            return _error(402, "billing_error", run.detail)
        wait = _seconds(upstream.headers.get("retry-after"))
        if upstream.status == 429 and wait > _PATIENCE:
            shape = "%H:%M UTC" if wait < _HALF_A_DAY else "%d %B, %H:%M UTC"
            run.refuse("quota", f"the model's API asks to wait until {self._meter.after(wait):{shape}}")
            return _error(402, "billing_error", run.detail)
        return web.Response(status=upstream.status, body=body, headers=_pick(upstream.headers, _RETURNED))

    async def _read(self, call: _Call, upstream: aiohttp.ClientResponse) -> None:
        call.answer(web.StreamResponse(headers=_pick(upstream.headers, _RETURNED)))
        streamed = upstream.content_type == "text/event-stream"
        seen, whole = StreamUsage(), bytearray()
        try:
            call.broken = True
            async for piece in upstream.content.iter_any():
                seen.feed(piece) if streamed else whole.extend(piece)
                call.pieces.put_nowait(piece)
            call.broken = False
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            logger.info("an answer broke off: %s", type(error).__name__, extra={"action": "answer_broken"})
        usage = seen.counts if seen.complete else whole_usage(bytes(whole))
        await self._book(call, usage)

    def _book(self, call: _Call, usage: dict[str, Any] | None) -> Coroutine[Any, Any, None]:
        if usage is None:
            call.run.unknown = True
            note = "the model's API broke off before it reported the tokens used"
            return self._meter.settle_unknown(call.admitted.request_id, note)
        return self._meter.settle(call.admitted.request_id, call.model, usage)


@dataclass(slots=True)
class _Call:
    """One request on its way: what to ask, and what the agent gets of the answer."""

    run: Pass
    model: str
    admitted: Admitted
    body: dict[str, Any]
    query: dict[str, str]
    headers: dict[str, str]
    head: asyncio.Future[web.StreamResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    broken: bool = False

    def answer(self, head: web.StreamResponse) -> None:
        """Let the agent have the head of its answer, if it still waits."""
        if not self.head.done():
            self.head.set_result(head)


async def _read_on(run: Pass) -> None:
    """Give a finished run's open answers their time to be booked."""
    if run.answers:
        await asyncio.wait(set(run.answers), timeout=run.read_on)
    for answer in set(run.answers):
        answer.cancel()


def _lowered(body: dict[str, Any], max_tokens: int) -> dict[str, Any]:
    """The request with `max_tokens` as paid for, and a thinking budget that fits below it."""
    changed = body | {"max_tokens": max_tokens}
    thinking = body.get("thinking")
    if isinstance(thinking, dict) and isinstance(budget := thinking.get("budget_tokens"), int):
        fits = {"budget_tokens": min(budget, max_tokens // 2)}
        changed["thinking"] = thinking | fits if max_tokens >= 2 * _LEAST_THINKING else {"type": "disabled"}
    return changed


def _pick(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


def _unreachable(error: Exception) -> web.Response:
    return _error(502, "api_error", f"the model's API cannot be reached: {type(error).__name__}")


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _error(status: int, kind: str, message: str) -> web.Response:
    return web.json_response({"type": "error", "error": {"type": kind, "message": message}}, status=status)


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
