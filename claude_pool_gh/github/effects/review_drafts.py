"""Finds out which inline comments GitHub takes, by drafts that nobody else sees.

It takes a review's comments all or none and does not say which one it refuses. A review without an event is a draft:
it is held against the change like any other, only its author sees it, and it can be deleted. So parts of the comments
are tried in drafts, and a refused part is halved until what is refused is one comment.

An account has one draft at a time for a pull request, and neither a review of it nor an answer under a comment is taken
meanwhile. So each is deleted at once, and what a dead process left is known by its marker. A draft that somebody else
has begun under the same account, as another workflow may in an Action, is not touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.effect import Making
from claude_pool_gh.github.effects.marks import all_of_ours, marker, post
from claude_pool_gh.github.errors import ForgeRefused, NotFound
from claude_pool_gh.terms.ids import Repository

_MARKER: Final = marker("draft of a review")
_UNPROCESSABLE: Final = 422


@dataclass(frozen=True, slots=True)
class DraftPlace:
    """The pull request and the commit at which comments are tried."""

    forge: Forge
    making: Making
    number: int
    commit: str


async def taken(place: DraftPlace, refused: Sequence[Mapping[str, Any]]) -> frozenset[int]:
    """The numbers (from 0) of the comments that GitHub takes, of some that it has refused together.

    None is, where it takes no draft at all.
    """
    if len(refused) < 2 or not await _is_taken(place, ()):
        return frozenset()
    found = await _halved(place, refused, range(len(refused)))
    await asyncio.sleep(place.making.pace)  # before the review itself
    return found


async def _halved(
    place: DraftPlace, comments: Sequence[Mapping[str, Any]], refused: range
) -> frozenset[int]:
    found: frozenset[int] = frozenset()
    half = len(refused) // 2
    for part in (refused[:half], refused[half:]) if half else ():
        is_taken = await _is_taken(place, [comments[at] for at in part])
        found |= frozenset(part) if is_taken else await _halved(place, comments, part)
    return found


async def _is_taken(place: DraftPlace, comments: Sequence[Mapping[str, Any]]) -> bool:
    await asyncio.sleep(place.making.pace)  # after what was refused, or the draft before
    path = f"/pulls/{place.number}/reviews"
    draft = {"commit_id": place.commit, "body": _MARKER, "comments": list(comments)}
    try:
        made = await post(place.forge, place.making.repository, path, draft)
    except ForgeRefused as error:
        if error.status != _UNPROCESSABLE:
            raise
        return False
    await _delete(place.forge, place.making.repository, place.number, made)
    return True


async def without_draft(
    forge: Forge, repository: Repository, number: int, make: Callable[[], Awaitable[int]]
) -> int:
    """Make what GitHub refuses beside a draft, once more where a dead process has left one."""
    try:
        return await make()
    except ForgeRefused as error:
        if error.status != _UNPROCESSABLE or not await removed(forge, repository, number):
            raise
    return await make()


async def removed(forge: Forge, repository: Repository, number: int) -> bool:
    """Delete the draft that a dead process left. True where there was one."""
    listing = f"/pulls/{number}/reviews"
    left = [
        int(each["id"])
        async for each in all_of_ours(forge, repository, listing, _MARKER)
        if each.get("state") == "PENDING"
    ]
    for each in left:
        await _delete(forge, repository, number, each)
    return bool(left)


async def _delete(forge: Forge, repository: Repository, number: int, draft: int) -> None:
    try:
        await forge.call("DELETE", repository, f"/pulls/{number}/reviews/{draft}")
    except NotFound:  # an attempt of unknown outcome has deleted it
        return
