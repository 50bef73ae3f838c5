"""The loopback proxy between every agent and the model's API.

It holds the real key, which no agent sees; knows by its path which run a request belongs to; lets it use only
that run's models, and only what can be priced; and asks the meter before each request goes out. An answer is read to
its end even when the agent is gone, so that what the API reports is booked.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from claude_pool_gh.agent import admission, counted, prices
from claude_pool_gh.agent.counted import Conversation
from claude_pool_gh.agent.meter import LEAST_OUTPUT, MOST_OUTPUT, Admitted, Meter, needed
from claude_pool_gh.agent.passes import UNWANTED, Pass, Verdict
from claude_pool_gh.agent.prices import Load
from claude_pool_gh.agent.upstream import Credential, NoCredential, Opened, Upstream
from claude_pool_gh.agent.usage import StreamUsage, is_error, whole_usage
from claude_pool_gh.pool.model.money import dollars

logger = logging.getLogger(__name__)

__all__ = ["PLACEHOLDER_KEY", "UNWANTED", "Gateway", "Pass"]

PLACEHOLDER_KEY: Final = "held-by-the-gateway"
_MONEY_LOOK_SECONDS: Final = 0.5
"""Between two looks whether the runs beside one have left it money."""
_BODY_LIMIT: Final = 64 * 2**20
_LEAST_THINKING: Final = 1024  # the API refuses less
_FORWARDED: Final = ("anthropic-version", "content-type", "accept", "user-agent")
_BETA: Final = "anthropic-beta"
_STARTED_BY_AN_AGENT: Final = "x-claude-code-agent-id"
_RETURNED: Final = ("content-type", "retry-after", "request-id")
_HALF_A_DAY: Final = 43_200
_CANCELLED: Final = 3.0
"""The same when its task was cancelled; the pool waits for 4 until it believes that the run cannot be ended."""
_MARGIN: Final = 1.1
"""By how much an answer may be read as more tokens than the API has counted when it was asked: it calls that count an
estimate that may be off by a little."""
_NO_MONEY: Final = "the money set aside for this run, {}, has {} left, which does not pay for another request"
_AFTER_A_BREAK: Final = (
    ", since the model's API broke off an earlier answer and that counts at its worst case"
)
_CREDIT: Final = "credit balance"
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
        credential: Credential | None = None,
    ) -> None:
        """`read_on`: seconds that a finished run's open answers are read on, then booked as an upper bound.

        `patience`: seconds that a request waits for an API that is overloaded, broken or not there. `money`: seconds
        that it waits for money that other runs of its step may leave. `credential`: in place of the key.
        """
        self._credential = credential
        self._money_seconds = money
        self._read_on_seconds = read_on
        self._meter = meter
        self._url_above = upstream.rstrip("/")
        self._key = key
        self._patience = patience
        self._passes: dict[str, Pass] = {}
        self._short: Counter[str] = Counter()
        """Requests, by run, that wait for money that the runs beside theirs may leave."""
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
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=True, read_bufsize=2**20)
        self._upstream = Upstream(
            self._url_above, self._key, self._patience, self._session, credential=self._credential
        )

    async def close(self) -> None:
        """Stop serving; answers still open are left to be settled at the next start."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def admit(
        self, run_id: str, models: frozenset[str], most: int | None = None, *, step: int | None = None
    ) -> AsyncIterator[tuple[Pass, str]]:
        """Let a run through while the block lasts; gives its pass and its base URL.

        `most`: up to how many microdollars its money may grow as it is needed. `step`: up to how many all runs of its
        step may come to together.
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
            return _error(404, "not_found_error", "this run is over")
        raw = await request.read()
        if not await run.is_checked():
            return _error(404, "not_found_error", "this run is over")
        body = _parse(raw)
        if body is None:
            return _error(400, "invalid_request_error", "the body is not a JSON object")
        model = str(body.get("model", ""))
        if model not in run.models:
            detail = f"the agent asked for the model {model!r}, which this step may not use"
            return _refused(run, "model", detail)
        strange = (
            admission.query_fault(request.query)
            or admission.version_fault(request.headers.get("anthropic-version"))
            or admission.fault(body)
        )
        if strange is not None:
            return _refused(run, "request", f"the agent's request holds {strange}, whose price is not known")
        body = {name: value for name, value in body.items() if name not in admission.LEFT_OUT}
        headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
        if betas := admission.listed(request.headers.get(_BETA, "")):
            headers[_BETA] = betas
        call = _Call(
            run, model, body, dict(request.query), headers, counted.conversation(body, len(raw)),
            own=_STARTED_BY_AN_AGENT not in request.headers,
        )  # fmt: skip
        admitted = await self._admitted(call)
        if admitted is None:
            granted, left = (dollars(amount) for amount in await self._meter.rest(run.run_id))
            searching = (
                "; a search of the web may bring in as much as the model can read" if call.searches else ""
            )
            broken = _AFTER_A_BREAK if run.unknown else ""
            return _refused(run, "budget", _NO_MONEY.format(granted, left) + searching + broken)
        if run.token not in self._passes:  # it ended while the money was being set aside
            await self._meter.settle_unanswered(admitted.request_id)
            return _error(404, "not_found_error", "this run is over")
        call.admitted = admitted
        call.lower(admitted.max_tokens)
        return await self._forward(request, call)

    async def _admitted(self, call: _Call) -> Admitted | None:
        """Set the request's worst case aside, as tight as it can be proven; None when the money does not reach.

        The API is asked to count only where what is known by itself leaves less than a whole answer.
        """
        run, asked = call.run, call.asked
        tokens = run.counts.bound(call.conversation)
        load = Load(tokens, prices.kept_for(call.body), call.searches)
        whole = needed(call.model, load, min(asked, MOST_OUTPUT))
        left = await self._meter.reach(run.run_id, whole, run.most, run.step)
        if left < whole and self._upstream is not None:
            told = await self._upstream.count(call.body, call.query, call.headers)
            if told is not None:
                load = Load(min(tokens, int(told * _MARGIN) + 1), load.cached, load.searches)
        while True:
            admitted = await self._meter.admit(run.run_id, call.model, load, asked)
            if admitted is not None:
                break
            if load.searches > 1:
                load = Load(load.tokens, load.cached, load.searches - 1)
            elif not await self._grows(run, needed(call.model, load, min(asked, LEAST_OUTPUT))):
                break
        if admitted is None:
            granted, left = await self._meter.rest(run.run_id)
            enough = needed(call.model, load, min(asked, LEAST_OUTPUT))
            run.short = max(run.short, granted - left + enough)
        elif load.searches:
            call.search_at_most(load.searches)
        return admitted

    async def _grows(self, run: Pass, enough: int) -> bool:
        """Wait, where the money does not reach, for what the runs beside it leave; False when they leave too little.

        Runs that wait like this one leave nothing: the last of them to come is refused, and leaves its rest to others.
        """
        granted, left = await self._meter.rest(run.run_id)
        if enough - left > (run.most or 0) - granted:
            return False  # its own cap does not reach, whatever others leave
        until = asyncio.get_running_loop().time() + self._money_seconds
        self._short[run.run_id] += 1
        try:
            with run.signs.patient():
                while True:
                    beside = await self._meter.open_beside(run.run_id)
                    if await self._meter.reach(run.run_id, enough, run.most, run.step) >= enough:
                        return True
                    late = asyncio.get_running_loop().time() > until
                    if late or run.over.is_set() or all(self._short[each] for each in beside):
                        return False
                    await asyncio.sleep(_MONEY_LOOK_SECONDS)
        finally:
            self._short[run.run_id] -= 1

    async def _forward(self, request: web.Request, call: _Call) -> web.StreamResponse:
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

    async def _exchange(self, call: _Call) -> None:
        """Ask the API and book what came of it, whoever still listens; whatever happens, nobody waits for ever."""
        try:
            await self._ask_and_book(call)
        finally:
            call.answer(_error(502, "api_error", "the answer of the model's API was lost"))
            call.pieces.put_nowait(None)

    async def _ask_and_book(self, call: _Call) -> None:
        if self._upstream is None:
            raise RuntimeError("the gateway is not started")
        try:
            found = await self._upstream.ask(call.run, call.body, call.query, call.headers)
        except (aiohttp.ClientConnectorError, NoCredential) as error:  # never reached, so never paid
            await self._meter.settle_unanswered(call.request_id)
            return call.answer(self._unreachable(call.run, error))
        except (aiohttp.ClientError, TimeoutError) as error:
            if call.run.over.is_set() and call.run.trouble:  # the last answer was a refusal
                await self._meter.settle_unanswered(call.request_id)
            else:
                await self._unknown(call)  # nobody knows whether the API worked for it
            return call.answer(_unreachable(error))
        async with found.response:
            if found.status != 200:
                return call.answer(await self._refusal(call, found))
            if not found.is_answer:
                await self._meter.settle_unanswered(call.request_id)
                call.run.trouble = (
                    f"it answers with {found.response.content_type}, which is no answer of that API"
                )
                return call.answer(_error(502, "api_error", f"the model's API: {call.run.trouble}"))
            return await self._read(call, found)

    def _unreachable(self, run: Pass, error: Exception) -> web.Response:
        if self._patience and len(run.models) < 2:
            run.refuse("overload", f"the model's API cannot be reached, tried for {_minutes(self._patience)}")
            return _error(402, "billing_error", run.detail)
        return _unreachable(error)

    async def _refusal(self, call: _Call, found: Opened) -> web.Response:
        """The agent's answer where the API gave none. What no further try can change ends the run at once."""
        run, status = call.run, found.status
        await self._meter.settle_unanswered(call.request_id)
        body = b"".join([piece async for piece in found.pieces()])
        said = body[:4_000].decode("utf-8", "replace").lower()
        if status in (401, 403):
            return _refused(run, "key", f"the model's API refused the server's key (HTTP {status})")
        if status == 402 or (status == 400 and _CREDIT in said):
            return _refused(
                run, "credit", f"the server's account with the model's API has no credit (HTTP {status})"
            )
        if status == 404:
            return _refused(
                run, "unknown_model", f"the model's API does not know the model {call.model!r} (HTTP 404)"
            )
        if status == 429 and not found.passes:
            shape = "%H:%M UTC" if found.wait < _HALF_A_DAY else "%d %B, %H:%M UTC"
            until = f"{self._meter.after(found.wait):{shape}}"
            return _refused(run, "quota", f"the model's API asks to wait until {until}")
        if found.passes and self._patience and len(run.models) < 2:
            return _refused(
                run, "overload", f"the model's API: {run.trouble}, tried for {_minutes(self._patience)}"
            )
        headers = {name: found.response.headers[name] for name in _RETURNED if name in found.response.headers}
        return web.Response(status=status, body=body, headers=headers)

    async def _read(self, call: _Call, found: Opened) -> None:
        upstream = found.response
        head = {name: upstream.headers[name] for name in _RETURNED if name in upstream.headers}
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
            logger.info("an answer broke off: %s", type(error).__name__, extra={"action": "answer_broken"})
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
            await self._meter.settle_part(call.request_id, call.model, seen.counts, tokens, _HALF_REPORTED)
        else:
            await self._unknown(call)

    async def _unknown(self, call: _Call) -> None:
        call.run.unknown = True
        await self._meter.settle_unknown(call.request_id, _BROKE_OFF)


@dataclass(slots=True)
class _Call:
    """One request on its way: what to ask, and what the agent gets of the answer."""

    run: Pass
    model: str
    body: dict[str, Any]
    query: dict[str, str]
    headers: dict[str, str]
    conversation: Conversation
    own: bool
    """Whether it is the agent's own, not of one that it has started."""
    admitted: Admitted | None = None
    head: asyncio.Future[web.StreamResponse] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    broken: bool = False
    rewritten: bool = False
    """Whether it is read in another way than it was asked, so that its count says nothing of the agent's next one."""

    @property
    def request_id(self) -> str:
        """Names it in the ledger."""
        return "" if self.admitted is None else self.admitted.request_id

    @property
    def asked(self) -> int:
        """Tokens of output that the agent asks for."""
        asked = self.body.get("max_tokens")
        return asked if isinstance(asked, int) and asked > 0 else 4096

    @property
    def searches(self) -> int:
        """Searches of the web that the agent asks for."""
        tool = admission.web_search(self.body)
        return 0 if tool is None else int(tool["max_uses"])

    def search_at_most(self, times: int) -> None:
        """Allow only the searches that are paid for."""
        tool = admission.web_search(self.body)
        if tool is not None and tool["max_uses"] != times:
            self.rewritten = True
            self.body["tools"] = [
                each | {"max_uses": times} if each is tool else each for each in self.body["tools"]
            ]

    def lower(self, max_tokens: int) -> None:
        """Ask for as many tokens as are paid for, and a thinking budget that fits below them."""
        self.body["max_tokens"] = max_tokens
        thinking = self.body.get("thinking")
        if isinstance(thinking, dict) and isinstance(budget := thinking.get("budget_tokens"), int):
            fits = {"budget_tokens": min(budget, max_tokens // 2)}
            if max_tokens >= 2 * _LEAST_THINKING:
                self.body["thinking"] = thinking | fits
            else:
                self.body["thinking"], self.rewritten = {"type": "disabled"}, True

    def answer(self, head: web.StreamResponse) -> None:
        """Let the agent have the head of its answer, if it still waits."""
        if not self.head.done():
            self.head.set_result(head)


def _refused(run: Pass, verdict: Verdict, detail: str) -> web.Response:
    """End the run: HTTP 402 is the one refusal that the CLI neither repeats nor answers with another model."""
    run.refuse(verdict, detail)
    return _error(402, "billing_error", detail)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


async def _read_on(run: Pass) -> None:
    """Give a finished run's open answers their time to be booked."""
    if run.answers:
        await asyncio.wait(set(run.answers), timeout=run.read_on)
    for answer in set(run.answers):
        answer.cancel()


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
