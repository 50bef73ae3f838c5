"""Labels on a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

from claude_pool_gh.github.api import Forge
from claude_pool_gh.github.effects.effect import Effect, Making


class Labels(Effect):
    """Labels that a thread should have besides its own."""

    kind: Literal["labels"] = "labels"
    priority: ClassVar[int] = 2
    called: ClassVar[str] = "the labels"
    permission: ClassVar[str] = "issues=write; pull_requests=write"
    number: int
    names: tuple[str, ...]

    def texts(self) -> tuple[str, ...]:
        """None of ours: only names that the repository has already are ever wanted."""
        return ()

    def reworded(self, change: Callable[[str], str]) -> Self:  # noqa: ARG002
        """Itself: the names are the repository's own."""
        return self

    async def make(self, forge: Forge, making: Making) -> int | None:
        """Add them."""
        body = {"labels": list(self.names)}
        await forge.call("POST", making.repository, f"/issues/{self.number}/labels", body)
        return None

    async def find(self, forge: Forge, making: Making) -> int | None:  # noqa: ARG002
        """Not looked for: GitHub adds a label once, however often it is asked."""
        return None
