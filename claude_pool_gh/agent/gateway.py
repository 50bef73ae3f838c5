"""The loopback proxy between every agent and the model's API.

It holds the real key, which no agent sees, and knows by a request's path which run it belongs to.
Each request goes through four questions, in this order, and is answered without asking the model at
the first no:

1. Is the run still wanted, and is it a request of its own (`passes`)?
2. May it ask that: this model, and nothing whose price is not known (`admission`)?
3. Does its money reach for the worst that it may cost (`funding`)? That is set aside durably before
   the request goes out, and its `max_tokens` is lowered to what is paid for.
4. Does the API answer (`upstream`, which waits and repeats; `refusals`, where it does not)?

From then on a task of its own reads the answer to its end and books it, whether the agent still
listens or not: what the API has reported is booked as it is, what it may have cost beyond that
counts at its worst case. A run that ends gives its open answers some seconds; what is still open
then is settled as an upper bound. So the money of a request is set aside before it can be spent,
and settled exactly once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
from aiohttp import web

from claude_pool_gh.agent import admission, counted, refusals
from claude_pool_gh.agent.call import Call
from claude_pool_gh.agent.connection import Connection
from claude_pool_gh.agent.funding import Funding
from claude_pool_gh.agent.meter import Meter
from claude_pool_gh.agent.passes import PLACEHOLDER_KEY, UNWANTED, Pass
from claude_pool_gh.agent.upstream import (
    NEVER_REACHED,
    NoCredential,
    RunOver,
    Upstream,
    UpstreamResponse,
)
from claude_pool_gh.agent.usage import StreamUsage, is_error, whole_usage
from claude_pool_gh.terms import network_errors

logger = logging.getLogger(__name__)

__all__ = ["PLACEHOLDER_KEY", "UNWANTED", "Gateway", "Pass"]

_BODY_LIMIT: Final = 64 * 2**20
_FORWARDED: Final = ("anthropic-version", "content-type", "accept", "user-agent")
_BETA: Final = "anthropic-beta"
_STARTED_BY_AN_AGENT: Final = "x-claude-code-agent-id"
_CANCELLED: Final = 3.0
"""Seconds that the open answers of a cancelled run are read on; the pool waits for 4 until it
believes that the run cannot be ended."""
_BROKE_OFF: Final = "the model's API broke off before it reported the tokens used"
_HALF_REPORTED: Final = (
    "the model's API broke off; what it had read is known, what it wrote counts at its most"
)


class Gateway:
    """Serves on a free port of the loopback interface between `start` and `close`."""

    def __init__(
        self,
        meter: Meter,
        upstream: str,
        key: str,
        *,
        read_on: float = 8.0,
        patience: float = 0.0,
        money: float = 120.0,
        connection: Connection | None = None,
    ) -> None:
        """`read_on`: seconds that a finished run's open answers are read on, then booked as an upper bound.

        `patience`: seconds that a request waits for an API that is overloaded, broken or not there. `money`: seconds
        that it waits for money that other runs of its step may leave.
        """
        self._connection = Connection() if connection is None else connection
        self._money_seconds = money
        self._read_on_seconds = read_on
        self._meter = meter
        self._url_above = upstream.rstrip("/")
        self._key = key
        self._patience = patience
        self._passes: dict[str, Pass] = {}
        self._funding: Funding | None = None
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._upstream: Upstream | None = None
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
        self._session = aiohttp.ClientSession(
            timeout=timeout,
            auto_decompress=True,
            read_bufsize=2**20,
            proxy=self._connection.proxy or None,
        )
        self._upstream = Upstream(
            self._url_above, self._key, self._patience, self._session, connection=self._connection
        )
        self._funding = Funding(self._meter, self._upstream, self._money_seconds)

    async def close(self) -> None:
        """Stop serving; answers still open are left to be settled at the next start."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def admit(
        self,
        run_id: str,
        models: frozenset[str],
        most: int | None = None,
        *,
        step: int | None = None,
    ) -> AsyncIterator[tuple[Pass, str]]:
        """Let a run through while the block lasts; gives its pass and its base URL.

        `most`: up to how many microdollars its money may grow as it is needed. `step`: up to how
        many all runs of its step may come to together.
        """
        run = Pass(run_id, models, most, step, read_on=self._read_on_seconds)
        self._passes[run.token] = run
        try:
            yield run, f"{self._url}/run/{run.token}"
        except asyncio.CancelledError:
            run.hurry(_CANCELLED)
            raise
        finally:
            run.over.set()
            del self._passes[run.token]
            await asyncio.shield(_read_on(run))

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        run = self._passes.get(request.match_info["token"])
        if run is None:
            return refusals.over()
        raw = await request.read()
        if not await run.is_checked():
            return refusals.over()
        body = _parse(raw)
        if body is None:
            return refusals.error(400, "invalid_request_error", "the body is not a JSON object")
        model = str(body.get("model", ""))
        if model not in run.models:
            detail = f"the agent asked for the model {model!r}, which this step may not use"
            return refusals.refused(run, "model", detail)
        strange = (
            admission.query_fault(request.query)
            or admission.version_fault(request.headers.get("anthropic-version"))
            or admission.fault(body)
        )
        if strange is not None:
            return refusals.refused(
                run, "request", f"the agent's request holds {strange}, whose price is not known"
            )
        body = {name: value for name, value in body.items() if name not in admission.LEFT_OUT}
        headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
        if betas := admission.listed(request.headers.get(_BETA, "")):
            headers[_BETA] = betas
        call = Call(
            run,
            model,
            body,
            dict(request.query),
            headers,
            counted.conversation(body, len(raw)),
            own=_STARTED_BY_AN_AGENT not in request.headers,
        )
        if self._funding is None:
            raise RuntimeError("the gateway is not started")
        admitted = await self._funding.admit(call)
        if admitted is None:
            return refusals.refused(run, "budget", await self._funding.shortage(call))
        if run.token not in self._passes:  # it ended while the money was being set aside
            await self._meter.settle_unanswered(admitted.request_id)
            return refusals.over()
        call.admitted = admitted
        call.lower(admitted.max_tokens)
        return await self._forward(request, call)

    async def _forward(self, request: web.Request, call: Call) -> web.StreamResponse:
        """Hand the answer on piece by piece, while a task of its own fetches, reads and books it to the end."""
        run = call.run
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

    async def _exchange(self, call: Call) -> None:
        """Ask the API and book what came of it, whoever still listens; whatever happens, nobody waits for ever."""
        try:
            await self._ask_and_book(call)
        finally:
            call.answer(refusals.error(502, "api_error", "the answer of the model's API was lost"))
            call.pieces.put_nowait(None)

    async def _ask_and_book(self, call: Call) -> None:
        if self._upstream is None:
            raise RuntimeError("the gateway is not started")
        try:
            found = await self._upstream.ask(call.run, call.body, call.query, call.headers)
        except (*NEVER_REACHED, NoCredential) as error:  # so never paid
            await self._meter.settle_unanswered(call.request_id)
            refusals.log(call.run, call.model, "unreachable", network_errors.told(error))
            return call.answer(refusals.unreachable(call.run, error, self._patience))
        except RunOver:
            await self._meter.settle_unanswered(call.request_id)
            return call.answer(refusals.over())
        except (aiohttp.ClientError, TimeoutError) as error:
            await self._unknown(call)  # nobody knows whether the API worked for it
            return call.answer(refusals.lost(error))
        async with found.response:
            if found.status != 200:
                return call.answer(await self._refusal(call, found))
            if not found.is_answer:
                await self._meter.settle_unanswered(call.request_id)
                call.run.trouble = (
                    f"it answers with {found.response.content_type}, which is no answer of that API"
                )
                return call.answer(
                    refusals.error(502, "api_error", f"the model's API: {call.run.trouble}")
                )
            return await self._read(call, found)

    async def _refusal(self, call: Call, found: UpstreamResponse) -> web.Response:
        """The agent's answer where the API gave none. What no further try can change ends the run at once."""
        await self._meter.settle_unanswered(call.request_id)
        body = b"".join([piece async for piece in found.pieces()])
        until = f"{self._meter.after(found.wait):{refusals.shape_of(found.wait)}}"
        ended = refusals.final(call.run, call.model, found, body, until, self._patience)
        refusals.log(call.run, call.model, str(found.status), refusals.reason_of(body))
        return refusals.passed_on(found, body) if ended is None else ended

    async def _read(self, call: Call, found: UpstreamResponse) -> None:
        upstream = found.response
        head = {
            name: upstream.headers[name] for name in refusals.RETURNED if name in upstream.headers
        }
        call.answer(web.StreamResponse(headers=head))
        seen, whole = StreamUsage(), bytearray()
        try:
            call.broken = True
            async for piece in found.pieces():
                before = seen.events
                seen.feed(piece) if found.streamed else whole.extend(piece)
                call.run.signs.heard(work=not found.streamed or seen.events > before)
                call.pieces.put_nowait(piece)
            call.broken = False
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            logger.info(
                "an answer broke off: %s", type(error).__name__, extra={"action": "answer_broken"}
            )
        usage = seen.counts if seen.complete else whole_usage(bytes(whole))
        if usage is not None:
            await self._meter.settle(call.request_id, call.model, usage)
            if not call.rewritten:
                call.run.counts.learn(call.conversation, usage)
            call.run.turns += call.own
        elif is_error(bytes(whole)):
            await self._meter.settle_unanswered(call.request_id)
        elif seen.has_input:
            call.run.unknown = True
            tokens = int(call.body["max_tokens"])
            await self._meter.settle_part(
                call.request_id, call.model, seen.counts, tokens, _HALF_REPORTED
            )
        else:
            await self._unknown(call)

    async def _unknown(self, call: Call) -> None:
        call.run.unknown = True
        await self._meter.settle_unknown(call.request_id, _BROKE_OFF)


async def _read_on(run: Pass) -> None:
    """Give a finished run's open answers their time to be booked."""
    if run.answers:
        await asyncio.wait(set(run.answers), timeout=run.read_on)
    for answer in set(run.answers):
        answer.cancel()


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
