"""Makes a reaction to a comment the only one of ours there: what was said before it is taken back."""

from __future__ import annotations

from typing import Final, get_args

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.kinds import Reaction, ReactionContent
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import NotFound

_OURS: Final = frozenset(get_args(ReactionContent))


async def react(forge: Forge, row: EffectRow, reaction: Reaction) -> int:
    """React, and take back what we reacted with before; the reaction's id. GitHub makes the same one only once."""
    path = _path(reaction)
    made = await forge.call("POST", row.repository, path, {"content": reaction.content})
    if row.attempted or not row.first:
        await _take_back(forge, row, reaction)
    return int(made["id"])


async def find(forge: Forge, row: EffectRow, reaction: Reaction) -> int | None:
    """The id of a reaction of ours that an earlier attempt left there, whichever it is."""
    own = await forge.access.own_id(row.repository)
    async for each in forge.pages(row.repository, _path(reaction)):
        if (each.get("user") or {}).get("id") == own and each.get("content") in _OURS:
            return int(each["id"])
    return None


async def _take_back(forge: Forge, row: EffectRow, reaction: Reaction) -> None:
    own = await forge.access.own_id(row.repository)
    others = [
        int(each["id"])
        async for each in forge.pages(row.repository, _path(reaction))
        if (each.get("user") or {}).get("id") == own
        and each.get("content") in _OURS
        and each["content"] != reaction.content
    ]
    for other in others:
        try:
            await forge.call("DELETE", row.repository, f"{_path(reaction)}/{other}")
        except NotFound:
            continue  # an earlier attempt took it back


def _path(reaction: Reaction) -> str:
    place = "issues" if reaction.comment.kind == "issue_comment" else "pulls"
    return f"/{place}/comments/{reaction.comment.id}/reactions"
