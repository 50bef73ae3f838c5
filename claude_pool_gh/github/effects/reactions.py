"""Makes a reaction to a comment the only one of ours there: what was said before it is taken back."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, get_args

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.kinds import Reaction, ReactionContent
from claude_pool_gh.github.effects.rows import EffectRow
from claude_pool_gh.github.errors import NotFound

_OURS: Final = frozenset(get_args(ReactionContent))


async def react(forge: Forge, row: EffectRow, reaction: Reaction) -> int:
    """React, and take back what we reacted with before; the reaction's id. GitHub makes the same one only once."""
    path = _path(reaction)
    made = int((await forge.call("POST", row.repository, path, {"content": reaction.content}))["id"])
    if row.remote_id is not None:
        await _delete(forge, row, reaction, {row.remote_id} - {made})
    elif row.attempted:  # the id was lost; a token of a person's own would find that person's reactions too
        await _delete(forge, row, reaction, await _others(forge, row, reaction))
    return made


async def find(forge: Forge, row: EffectRow, reaction: Reaction) -> int | None:
    """The id of a reaction of ours that an earlier attempt left there, whichever it is."""
    return next(iter(sorted(await _others(forge, row, reaction, but=""))), None)


async def _others(forge: Forge, row: EffectRow, reaction: Reaction, *, but: str | None = None) -> set[int]:
    """Our reactions there, except those with this content."""
    own, kept = await forge.access.own_id(row.repository), reaction.content if but is None else but
    return {
        int(each["id"])
        async for each in forge.pages(row.repository, _path(reaction))
        if (each.get("user") or {}).get("id") == own and each.get("content") in _OURS - {kept}
    }


async def _delete(forge: Forge, row: EffectRow, reaction: Reaction, ids: set[int]) -> None:
    for each in sorted(ids):
        with suppress(NotFound):  # an earlier attempt took it back
            await forge.call("DELETE", row.repository, f"{_path(reaction)}/{each}")


def _path(reaction: Reaction) -> str:
    place = "issues" if reaction.comment.kind == "issue_comment" else "pulls"
    return f"/{place}/comments/{reaction.comment.id}/reactions"
