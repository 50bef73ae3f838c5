"""gidgethub's client as this bot uses it: what an answer means is decided here, before anything reads its body.

A token goes to the configured server and to no other: a redirect is followed only within it.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp
import gidgethub
from gidgethub.aiohttp import GitHubAPI

from claude_pool_gh.github.errors import (
    ForgeRefused,
    ForgeUnavailable,
    RefusedOnTheWay,
    Unreadable,
    is_worded,
    message_of,
    sort_proxy_refusal,
    sort_query_refusal,
    sort_refusal,
)
from claude_pool_gh.terms.network_errors import told

P = ParamSpec("P")
T = TypeVar("T")
AGENT: Final = "claude-pool-gh"
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_MOST_REDIRECTS: Final = 3
_BODY_LIMIT: Final = 64 * 1024 * 1024


class Client(GitHubAPI):
    """Makes one request; raises the errors of `errors`, also for bodies of another form than GitHub's."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str, **more: Any) -> None:
        super().__init__(session, AGENT, base_url=api_url, **more)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        status, answered, content = await self._once(method, url, headers, body)
        for _ in range(_MOST_REDIRECTS):
            if status not in _REDIRECTS:
                break
            url = _within(method, status, url, answered.get("location", ""))
            status, answered, content = await self._once(method, url, headers, body)
        if status >= 300:
            refusal = sort_refusal(status, message_of(content), answered)
            if isinstance(refusal, ForgeRefused) and not is_worded(content):
                raise RefusedOnTheWay(f"the answer {status} is not GitHub's own")
            raise refusal
        return status, answered, content

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            asking = self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            )
            async with asking as response:
                if (response.content_length or 0) > _BODY_LIMIT:
                    raise Unreadable(f"the answer is larger than {_BODY_LIMIT} bytes")
                return response.status, response.headers, await response.read()
        except aiohttp.ClientHttpProxyError as error:
            raise sort_proxy_refusal(error.status, error.message) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ForgeUnavailable(f"{type(error).__name__}: {told(error)}") from error


def _within(method: str, status: int, url: str, location: str) -> str:
    """The target of a redirect, if that is on the same server: GitHub's for repositories that were renamed."""
    there = urljoin(url, location)
    if urlsplit(there)[:2] != urlsplit(url)[:2]:
        raise ForgeUnavailable(
            f"GitHub answered {status}: a redirect to another server, which is not followed"
        )
    if method != "GET" and status not in (307, 308):
        raise ForgeUnavailable(f"GitHub answered {status}: a redirect of a {method}")
    return there


class sorted_errors:  # noqa: N801 - reads as a word at the `with`
    """Turns what gidgethub itself raises, about an answer's form and a query's errors, into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case gidgethub.QueryError():
                raise sort_query_refusal(error.response.get("errors")) from error
            case gidgethub.GraphQLException() | gidgethub.GitHubException():
                raise Unreadable(f"the answer cannot be read: {error}") from error
            case ValueError() | LookupError() | TypeError() | AttributeError() | RecursionError():
                raise Unreadable(
                    f"the answer cannot be read: {type(error).__name__}: {error}"
                ) from error
            case _:
                return


def checked(ask: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Lets an answer of another form than GitHub's be what it is: a fault that passes, as `Unreadable`."""

    @functools.wraps(ask)
    async def asked(*arguments: P.args, **named: P.kwargs) -> T:
        with sorted_errors():
            return await ask(*arguments, **named)

    return asked
