"""The reaction to a command, the only one of ours there: what was said before it is taken back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Final, Literal, Self, get_args

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import our_id
from claude_pool_gh.github.errors import NotFound
from claude_pool_gh.terms.ids import CommentRef

ReactionContent = Literal["eyes", "+1", "confused"]
"""Accepted, done, not done."""
_OURS: Final = frozenset(get_args(ReactionContent))


class Reaction(Effect):
    """Our reaction to a comment, which follows what became of the command in it."""

    kind: Literal["reaction"] = "reaction"
    priority: ClassVar[int] = 0
    called: ClassVar[str] = "the reaction to the command"
    permission: ClassVar[str] = "issues=write; pull_requests=write"
    comment: CommentRef
    content: ReactionContent

    def texts(self) -> tuple[str, ...]:
        """None: it is a picture."""
        return ()

    def reworded(self, change: Callable[[str], str]) -> Self:  # noqa: ARG002
        """Itself: there are no words in it."""
        return self

    async def make(self, forge: Forge, making: Making) -> int:
        """React, and take back what we reacted with before. GitHub makes the same one only once."""
        body = {"content": self.content}
        made = int((await forge.call("POST", making.repository, self._path, body))["id"])
        if making.remote_id is not None:
            await self._delete(forge, making, {making.remote_id} - {made})
        elif making.attempted:
            # the id was lost; a token of a person's own would find that person's reactions too
            await self._delete(forge, making, await self._others(forge, making, self.content))
        return made

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """React anew: GitHub has no way to edit a reaction."""
        return await self.make(forge, replace(making, remote_id=remote_id))

    async def find(self, forge: Forge, making: Making) -> int | None:
        """The id of a reaction of ours that an earlier attempt left there, whichever it is."""
        return next(iter(sorted(await self._others(forge, making, ""))), None)

    async def _others(self, forge: Forge, making: Making, kept: str) -> set[int]:
        """Our reactions there, except those with this content."""
        own = await our_id(forge, making.repository)
        return {
            int(each["id"])
            async for each in forge.pages(making.repository, self._path)
            if (each.get("user") or {}).get("id") == own and each.get("content") in _OURS - {kept}
        }

    async def _delete(self, forge: Forge, making: Making, ids: set[int]) -> None:
        for each in sorted(ids):
            with suppress(NotFound):  # an earlier attempt took it back
                await forge.call("DELETE", making.repository, f"{self._path}/{each}")

    @property
    def _path(self) -> str:
        place = "issues" if self.comment.kind == "issue_comment" else "pulls"
        return f"/{place}/comments/{self.comment.id}/reactions"
