"""An answer in words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Literal, Self

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import id_of_ours, marked, post
from claude_pool_gh.github.effects.review_drafts import without_draft
from claude_pool_gh.github.errors import NotFound
from claude_pool_gh.terms.ids import Repository


class Reply(Effect):
    """A comment that is made once. `in_reply_to`: the comment that began the review thread it belongs into."""

    kind: Literal["reply"] = "reply"
    priority: ClassVar[int] = 1
    called: ClassVar[str] = "the answer"
    permission: ClassVar[str] = "issues=write; pull_requests=write"
    once: ClassVar[bool] = True
    number: int
    body: str
    in_reply_to: int | None = None
    replaces: int | None = None
    """An earlier comment of ours that this one makes superfluous: it is deleted when this one stands."""

    def texts(self) -> tuple[str, ...]:
        """Its body."""
        return (self.body,)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another body."""
        return self._with(body=change(self.body))

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Write it where it belongs, and delete what it replaces."""
        repository, body = making.repository, marked(self.body, making.marker)
        if self.in_reply_to is None:
            made = await post(forge, repository, f"/issues/{self.number}/comments", body)
        else:
            path = f"/pulls/{self.number}/comments/{self.in_reply_to}/replies"
            made = await without_draft(
                forge, repository, self.number, lambda: post(forge, repository, path, body)
            )
        await self._replace(forge, repository)
        return made

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """Leave it as it was written; what it replaces may still be there."""
        await self._replace(forge, making.repository)
        return remote_id

    async def find(self, forge: Forge, making: Making) -> int | None:
        """By its marker."""
        place = "issues" if self.in_reply_to is None else "pulls"
        listing = f"/{place}/{self.number}/comments"
        return await id_of_ours(forge, making.repository, listing, making.marker)

    async def _replace(self, forge: Forge, repository: Repository) -> None:
        """Delete the comment that it takes the place of; that may be gone already."""
        if self.replaces is not None:
            with suppress(NotFound):
                await forge.call("DELETE", repository, f"/issues/comments/{self.replaces}")
