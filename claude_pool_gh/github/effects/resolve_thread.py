"""The end of a review thread of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, Self

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import threads
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import marked, marker, newest_of_ours, ours, post

_RESOLVE_TRIES: Final = 5
"""How often a thread is tried to be resolved where GitHub only fails; after that its comment is folded instead."""


class ResolveThread(Effect):
    """An inline comment of ours about which there is nothing more to do: answered, and its thread resolved.

    Where GitHub does not allow us to resolve it, the comment itself says so, folded under `headline`.
    """

    kind: Literal["settled"] = "settled"
    priority: ClassVar[int] = 3
    called: ClassVar[str] = "the answer under a finding"
    permission: ClassVar[str] = "pull_requests=write"
    once: ClassVar[bool] = True
    number: int
    mark: str
    reply: str
    headline: str

    def texts(self) -> tuple[str, ...]:
        """The answer; the headline's words are our own."""
        return (self.reply,)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another answer."""
        return self._with(reply=change(self.reply))

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Answer under our inline comment and resolve its thread; where that is not allowed, fold the comment."""
        listing = f"/pulls/{self.number}/comments"
        comment = await newest_of_ours(forge, making.repository, listing, marker(self.mark))
        if comment is None:  # never made inline, or deleted by a person
            return None
        if await ours(forge, making.repository, listing, making.marker) is None:
            replies = f"{listing}/{comment['id']}/replies"
            await post(forge, making.repository, replies, marked(self.reply, making.marker))
        body = str(comment["body"])
        is_resolved = making.tries < _RESOLVE_TRIES and await threads.resolve(
            forge, making.repository, self.number, int(comment["id"])
        )
        if not is_resolved and not body.startswith(self.headline):
            folded = f"{self.headline}\n\n<details><summary>what was reported</summary>\n\n{body}\n\n</details>"
            path = f"/pulls/comments/{comment['id']}"
            await forge.call("PATCH", making.repository, path, {"body": folded})
        return int(comment["id"])

    async def find(self, forge: Forge, making: Making) -> int | None:  # noqa: ARG002
        """Not looked for: each part of making it looks for itself."""
        return None
