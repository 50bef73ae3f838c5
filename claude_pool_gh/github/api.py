"""One request to GitHub's API, with its failures sorted by what they mean for whoever asked.

gidgethub makes the request and reads the answer (see `client`); it never retries, and neither does this: reads are
repeated by `Forge.read`, writes only by the writer of effects, which looks first whether they happened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import stamina

from claude_pool_gh.github.access import Access
from claude_pool_gh.github.client import Client, sorted_errors
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, RateLimited, Unreadable
from claude_pool_gh.storage.retry_log import log_retries
from claude_pool_gh.terms.ids import Repository

TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=10)
_JSON: Final = "application/vnd.github+json"
_READ_TRIES: Final = 4
_LONGEST_LIMIT: Final = 30
"""Seconds. Who asked for something to be read does not wait longer."""
_PAGE: Final = 100
_PAGES_LIMIT: Final = 40


Pusher = Callable[[Repository, str, Any, str | None], Awaitable[None]]
"""Puts a change (see `effects.change.Change`) on a ref that is still at the commit given, or does not exist yet.

Raises ForgeRefused where it is not, or git is told no; ForgeUnavailable where nobody knows.
"""


async def _no_pusher(*_: Any) -> None:
    raise ForgeRefused(403, "this process pushes nothing")


class Forge:
    """GitHub's API for one configured server."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        access: Access,
        pusher: Pusher = _no_pusher,
        *,
        patience: float = 0.5,
    ) -> None:
        """`patience`: seconds before a read that failed is made again, at first."""
        url = api_url.rstrip("/")
        self._session, self._api = session, Client(session, url)
        self._graphql_url = f"{url.removesuffix('/v3')}/graphql"
        self.access, self.pusher, self._patience = access, pusher, patience

    async def read(
        self, repository: Repository, path: str, *, accept: str = _JSON, **query: Any
    ) -> Any:
        """GET, again after failures that pass. `path` follows `/repos/OWNER/NAME`."""
        url = path + _query(query)

        async def once() -> Any:
            return _formed(await self.call("GET", repository, url, accept=accept))

        return await self._patiently(once)

    async def ask(self, repository: Repository, document: str, **variables: Any) -> Any:
        """Run a query of the GraphQL API that only reads, again after failures that pass."""

        async def once() -> Any:
            return await self._with_token(
                repository, lambda token: self.query(token, document, **variables)
            )

        return await self._patiently(once)

    async def _patiently(self, asking: Callable[[], Awaitable[Any]]) -> Any:
        """Ask again after failures that pass, some times."""
        log_retries()
        patience = stamina.retry_context(
            on=_passes,
            attempts=_READ_TRIES,
            timeout=None,
            wait_initial=self._patience,
            wait_jitter=self._patience,
        )
        async for attempt in patience:
            with attempt:
                return await asking()
        raise AssertionError("unreachable")

    async def pages(
        self, repository: Repository, path: str, *, key: str | None = None, **query: Any
    ) -> AsyncIterator[Any]:
        """Every item of a listing, all pages. Pages are asked for by number: no link of an answer is followed."""
        for page in range(1, _PAGES_LIMIT + 1):
            answer = await self.read(repository, path, **query, per_page=_PAGE, page=page)
            items = answer.get(key) if key and isinstance(answer, dict) else answer
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise Unreadable(f"{path}: no list of objects")
            for item in items:
                yield item
            if len(items) < _PAGE:
                return

    async def call(
        self,
        method: str,
        repository: Repository,
        path: str,
        body: Any = None,
        *,
        accept: str = _JSON,
    ) -> Any:
        """One request, and a second with a fresh token after 401. Raises the errors of `errors`."""
        url = f"/repos/{repository.owner}/{repository.name}{path}"
        return await self._with_token(
            repository, lambda token: self._request(method, url, body, accept, token)
        )

    async def call_once(
        self,
        method: str,
        repository: Repository,
        path: str,
        permissions: Mapping[str, str],
        body: Any = None,
    ) -> Any:
        """One request with a token made for it, which may do what others may not. Raises the errors of `errors`."""
        token = await self.access.token_once(repository, permissions)
        url = f"/repos/{repository.owner}/{repository.name}{path}"
        return await self._request(method, url, body, _JSON, token)

    async def _with_token(
        self, repository: Repository, asking: Callable[[str], Awaitable[Any]]
    ) -> Any:
        token = await self.access.token(repository)
        try:
            return await asking(token)
        except ForgeRefused as error:
            if error.status != 401:
                raise
        return await asking(await self.access.token(repository, fresh=True))

    async def query(self, token: str, document: str, **variables: Any) -> Any:
        """One query or mutation of the GraphQL API, for what REST cannot do. Raises the errors of `errors`."""
        api = Client(self._session, self._graphql_url, oauth_token=token)
        with sorted_errors():
            return await api.graphql(document, endpoint=self._graphql_url, **variables)

    async def _request(self, method: str, url: str, body: Any, accept: str, token: str) -> Any:
        with sorted_errors():
            match method:
                case "GET":
                    return await self._api.getitem(url, accept=accept, oauth_token=token)
                case "POST":
                    return await self._api.post(url, data=body, accept=accept, oauth_token=token)
                case "PUT":
                    return await self._api.put(url, data=body, accept=accept, oauth_token=token)
                case "PATCH":
                    return await self._api.patch(url, data=body, accept=accept, oauth_token=token)
                case "DELETE":
                    return await self._api.delete(url, accept=accept, oauth_token=token)
                case _:
                    raise ValueError(f"{method} is not used here")


def _passes(error: Exception) -> bool | float:
    """True where a read that failed so is made again; where GitHub asks to wait for a moment, the seconds to wait."""
    if isinstance(error, RateLimited):
        return error.seconds if error.seconds <= _LONGEST_LIMIT else False
    return isinstance(error, ForgeUnavailable)


def _formed(answer: Any) -> Any:
    """An answer to a read, which is an object or a list: a page of HTML or nothing at all is a proxy's."""
    if not isinstance(answer, dict | list):
        raise Unreadable(f"the answer is {type(answer).__name__}, no object and no list")
    return answer


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _query(query: Mapping[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return "?" + urlencode(given) if given else ""
