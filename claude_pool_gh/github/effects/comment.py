"""The comment that shows a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import id_of_ours, marked, post


class Comment(Effect):
    """A comment that is kept up to date; one that a person deleted stays deleted."""

    kind: Literal["comment"] = "comment"
    priority: ClassVar[int] = 2
    called: ClassVar[str] = "the comment that shows the run"
    permission: ClassVar[str] = "issues=write; pull_requests=write"
    lasting: ClassVar[bool] = True
    number: int
    body: str

    def texts(self) -> tuple[str, ...]:
        """Its body."""
        return (self.body,)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another body."""
        return self._with(body=change(self.body))

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Write it."""
        path = f"/issues/{self.number}/comments"
        return await post(forge, making.repository, path, marked(self.body, making.marker))

    async def update(self, forge: Forge, making: Making, remote_id: int) -> int:
        """Edit it."""
        body = marked(self.body, making.marker)
        await forge.call("PATCH", making.repository, f"/issues/comments/{remote_id}", body)
        return remote_id

    async def find(self, forge: Forge, making: Making) -> int | None:
        """By its marker."""
        return await id_of_ours(
            forge, making.repository, f"/issues/{self.number}/comments", making.marker
        )
