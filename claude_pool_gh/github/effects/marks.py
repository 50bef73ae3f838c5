"""Finds what we made by the mark that is hidden in it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.errors import ForgeUnavailable, NotFound
from claude_pool_gh.terms.ids import Repository


def marker(key: str) -> str:
    """The hidden marker of a key."""
    return f"<!-- claude-pool:{hashlib.sha256(key.encode()).hexdigest()[:24]} -->"


def marked(body: str, mark: str) -> dict[str, str]:
    """The body of a request, with the mark at its end."""
    return {"body": f"{body}\n\n{mark}"}


async def our_id(forge: Forge, repository: Repository) -> int:
    """The user id under which our things appear. Raises ForgeUnavailable where GitHub says there is no such account.

    Whoever asks for it on the way to a thing of ours must not take that for an answer about the thing.
    """
    try:
        return await forge.access.own_id(repository)
    except NotFound as error:
        raise ForgeUnavailable(f"GitHub did not find the bot's own account: {error}") from error


async def post(forge: Forge, repository: Repository, path: str, body: Any) -> int:
    """Make something; its id."""
    return int((await forge.call("POST", repository, path, body))["id"])


async def ours(forge: Forge, repository: Repository, listing: str, mark: str, **query: str) -> Any:
    """The first thing in a listing that we made and that holds a mark: anybody can copy a mark, nobody our author."""
    async for item in all_of_ours(forge, repository, listing, mark, **query):
        return item
    return None


async def newest_of_ours(forge: Forge, repository: Repository, listing: str, mark: str) -> Any:
    """The last such thing: what was settled once and came back stands there again under the same mark."""
    newest = None
    async for item in all_of_ours(forge, repository, listing, mark):
        if newest is None or int(item["id"]) > int(newest["id"]):
            newest = item
    return newest


async def all_of_ours(
    forge: Forge, repository: Repository, listing: str, mark: str = "", **query: str
) -> AsyncIterator[Any]:
    """Every thing in a listing that we made and that holds a mark, where one is given."""
    own = await our_id(forge, repository)
    async for item in forge.pages(repository, listing, **query):
        if (item.get("user") or {}).get("id") == own and mark in (item.get("body") or ""):
            yield item


async def id_of_ours(forge: Forge, repository: Repository, listing: str, mark: str) -> int | None:
    """Its id; None where there is none."""
    found = await ours(forge, repository, listing, mark)
    return None if found is None else int(found["id"])
