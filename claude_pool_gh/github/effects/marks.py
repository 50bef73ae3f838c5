"""Finds what we made by the mark that is hidden in it."""

from __future__ import annotations

from typing import Any

from claude_pool_gh.github.api import Forge
from claude_pool_gh.terms.ids import Repository


async def ours(forge: Forge, repository: Repository, listing: str, mark: str) -> Any:
    """The first thing in a listing that we made and that holds a mark: anybody can copy a mark, nobody our author."""
    own = await forge.access.own_id(repository)
    async for item in forge.pages(repository, listing):
        if (item.get("user") or {}).get("id") == own and mark in (item.get("body") or ""):
            return item
    return None
