"""Asks the model's API, again where it is overloaded, broken or not there for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from claude_pool_gh.agent.connection import Connection
from claude_pool_gh.agent.passes import Pass
from claude_pool_gh.agent.usage import StreamUsage
from claude_pool_gh.terms import network_errors
from claude_pool_gh.terms.waits import seconds

logger = logging.getLogger(__name__)

_PASSING: Final = frozenset({429, 500, 502, 503, 504, 529})
_LONG: Final = 120.0
"""Seconds that a 429 may ask to wait before it counts as an exhausted quota."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_COUNT_SECONDS: Final = 15.0
_COUNTED: Final = (
    "context_management",
    "messages",
    "model",
    "output_config",
    "output_format",
    "system",
    "thinking",
    "tool_choice",
    "tools",
)
_KINDS: Final = {"overloaded_error": 529, "rate_limit_error": 429}


@dataclass(slots=True)
class UpstreamResponse:
    """The API's answer, from its head on."""

    response: aiohttp.ClientResponse
    status: int
    seen: StreamUsage = field(default_factory=StreamUsage)
    begun: list[bytes] = field(default_factory=list)
    """What was read of it to see whether it is an answer."""

    @property
    def streamed(self) -> bool:
        """True where it comes as events."""
        return self.response.content_type == "text/event-stream"

    @property
    def is_answer(self) -> bool:
        """True where it has a form that an answer of the API can have; a proxy's web page has not."""
        return self.streamed or self.response.content_type == "application/json"

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything, as it comes."""
        for piece in self.begun:
            yield piece
        async for piece in self.response.content.iter_any():
            yield piece

    @property
    def wait(self) -> float:
        """Seconds that the API asks to wait."""
        return seconds(self.response.headers.get("retry-after"))

    @property
    def passes(self) -> bool:
        """True where it may be another answer in a while."""
        return self.status in _PASSING and self.wait <= _LONG


NEVER_REACHED: Final = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)
"""Errors of a request that never came to the API: no connection, or a proxy that made none."""


class NoCredential(aiohttp.ClientError):
    """There is nothing to ask the API with now, so it was not asked."""


class RunOver(aiohttp.ClientError):
    """The run ended while it waited to ask again: each try had ended in a refusal, and none is open."""


@dataclass(slots=True)
class Upstream:
    """The model's API."""

    url: str
    key: str
    patience: float
    """Seconds that one request waits for an API that is overloaded, broken or not there."""
    session: aiohttp.ClientSession
    counts: bool = True
    """Whether it counts tokens when it is asked to; not every proxy in front of it does."""
    connection: Connection = field(default_factory=Connection)

    async def ask(
        self,
        run: Pass,
        body: Mapping[str, Any],
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> UpstreamResponse:
        """The answer; the last one where patience has ended.

        Raises NEVER_REACHED, NoCredential and RunOver where nothing can have come of the request, and another
        ClientError or TimeoutError where nobody knows. `run.trouble` is what this request met with, and no earlier one.
        """
        loop = asyncio.get_running_loop()
        # Where there is another model to go on with, the agent is to hear of an overload soon.
        patience = self.patience if len(run.models) < 2 else 0.0
        deadline, pause = loop.time() + patience, _FIRST_PAUSE
        while True:
            wait, found = pause, None
            try:
                found = await self._once(body, query, headers)
                self.connection.answers[str(found.status)] += 1
                if not found.passes:
                    run.trouble = ""
                    return found
                wait = max(found.wait, pause)
                run.trouble = _named(found.status)
            except NEVER_REACHED:
                self.connection.answers["unreachable"] += 1
                run.trouble = "it cannot be reached"
                if loop.time() + wait > deadline:
                    raise
            except (aiohttp.ClientError, TimeoutError) as error:
                asked = not isinstance(error, NoCredential)
                run.trouble = "it broke off before it answered" if asked else ""
                raise
            if found is not None:
                if loop.time() + wait > deadline:
                    return found
                found.response.release()
            logger.warning(
                "the model's API: %s; asked again in %.0f seconds",
                run.trouble,
                wait,
                extra={"action": "model_api_waits", "run": run.run_id},
            )
            with run.signs.patient(), suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await run.over.wait()
            if run.over.is_set():
                raise RunOver
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(
        self, body: Mapping[str, Any], query: Mapping[str, str], headers: Mapping[str, str]
    ) -> UpstreamResponse:
        response = await self._post("/v1/messages", body, query, headers)
        found = UpstreamResponse(response, response.status)
        if response.status == 200 and found.streamed:
            async for piece in response.content.iter_any():
                found.begun.append(piece)
                found.seen.feed(piece)
                if found.seen.events:
                    break
            if found.seen.refused:
                found.status = _KINDS.get(found.seen.error, 500)
        return found

    async def count(
        self, body: Mapping[str, Any], query: Mapping[str, str], headers: Mapping[str, str]
    ) -> int | None:
        """The number of tokens that the API counts in a request, free of charge; None where it does not say."""
        if not self.counts:
            return None
        asked = {name: body[name] for name in _COUNTED if name in body}
        try:
            async with asyncio.timeout(_COUNT_SECONDS):
                async with await self._post(
                    "/v1/messages/count_tokens", asked, query, headers
                ) as answer:
                    self.counts = answer.status not in (404, 405, 501)
                    told = await answer.json(content_type=None) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        counted = told.get("input_tokens") if isinstance(told, dict) else None
        return counted if isinstance(counted, int) and counted > 0 else None

    async def _own(self) -> Mapping[str, str]:
        if self.connection.credential is None:
            return {"x-api-key": self.key}
        try:
            return await self.connection.credential.headers()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoCredential(network_errors.told(error)) from error

    async def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> aiohttp.ClientResponse:
        own = await self._own()
        return await self.session.post(
            f"{self.url}{path}",
            params=dict(query),
            json=dict(body),
            headers=_joined(headers, own),
            allow_redirects=False,
        )


def _joined(headers: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request with our own; beta features of both."""
    lower = {name.lower(): value for name, value in headers.items()}
    betas = [each["anthropic-beta"] for each in (lower, own) if each.get("anthropic-beta")]
    return {**lower, **own, **({"anthropic-beta": ",".join(betas)} if betas else {})}


def _named(status: int) -> str:
    match status:
        case 529 | 503:
            return f"it is overloaded (HTTP {status})"
        case 429:
            return "it is over its rate limit (HTTP 429)"
        case _:
            return f"it has failed (HTTP {status})"
