"""The end of a review thread of ours, which may be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final, Literal, Self

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects import threads
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import marked, marker, newest_of_ours, ours, post
from claude_pool_gh.github.effects.review_drafts import without_draft

_RESOLVE_TRIES: Final = 5
"""How often a thread is tried to be resolved where GitHub only fails; after that its comment is folded instead."""
_FOLD: Final = "\n\n<details><summary>what was reported</summary>\n\n"
_FOLD_END: Final = "\n\n</details>"


class ResolveThread(Effect):
    """An inline comment of ours about which there is nothing more to do: answered, and its thread resolved.

    Where GitHub does not allow us to resolve it, the comment itself says so, folded under `headline`. Not `resolved`:
    there is something to do again, and all of that is undone.
    """

    kind: Literal["settled"] = "settled"
    priority: ClassVar[int] = 3
    called: ClassVar[str] = "the answer under a finding"
    permission: ClassVar[str] = "pull_requests=write"
    once: ClassVar[bool] = True
    number: int
    mark: str
    reply: str
    headline: str = ""
    resolved: bool = True

    def texts(self) -> tuple[str, ...]:
        """The answer; the headline's words are our own."""
        return (self.reply,)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another answer."""
        return self._with(reply=change(self.reply))

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Answer under our inline comment and resolve its thread; where that is not allowed, fold the comment.

        Or answer, open the thread again, and unfold the comment.
        """
        listing = f"/pulls/{self.number}/comments"
        comment = await newest_of_ours(forge, making.repository, listing, marker(self.mark))
        if comment is None:  # never made inline, or deleted by a person
            return None
        if await ours(forge, making.repository, listing, making.marker) is None:
            replies = f"{listing}/{comment['id']}/replies"
            answer = marked(self.reply, making.marker)
            await without_draft(
                forge,
                making.repository,
                self.number,
                lambda: post(forge, making.repository, replies, answer),
            )
        body, at = str(comment["body"]), int(comment["id"])
        is_done = making.tries < _RESOLVE_TRIES and await threads.resolve(
            forge, making.repository, self.number, at, resolved=self.resolved
        )
        shown = self._shown(body, is_done=is_done)
        if shown != body:
            await forge.call("PATCH", making.repository, f"/pulls/comments/{at}", {"body": shown})
        return at

    def _shown(self, body: str, *, is_done: bool) -> str:
        """The comment as it is to be read: folded only where its thread could not be resolved."""
        _, folded, rest = body.partition(_FOLD)
        if not self.resolved:
            return rest.removesuffix(_FOLD_END) if folded else body
        if is_done or body.startswith(self.headline):
            return body
        return f"{self.headline}{_FOLD}{body}{_FOLD_END}"

    async def find(self, forge: Forge, making: Making) -> int | None:  # noqa: ARG002
        """Not looked for: each part of making it looks for itself."""
        return None
