"""An approved commit on a pull request's branch."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, Self

from claude_pool_gh.github import reads
from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.effects.change import Authority, Change, check_authority
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.errors import NotAsApproved, NotFound
from claude_pool_gh.terms.ids import Thread


class Push(Effect):
    """A commit on a pull request's branch, which must still be where the approval saw it."""

    kind: Literal["push"] = "push"
    priority: ClassVar[int] = 0
    called: ClassVar[str] = "the push of the approved change"
    permission: ClassVar[str] = "contents=write"
    once: ClassVar[bool] = True
    number: int
    branch: str
    change: Change
    authority: Authority

    def texts(self) -> tuple[str, ...]:
        """None that could be changed: see `Change`."""
        return ()

    def reworded(self, change: Callable[[str], str]) -> Self:  # noqa: ARG002
        """Itself: what was approved is what is pushed."""
        return self

    async def make(self, forge: Forge, making: Making) -> int:
        """Put the commit there. Raises NotAsApproved where anything is not as it was approved."""
        repository = making.repository
        await check_authority(forge, repository, self.authority)
        pull = await reads.pull(forge, Thread(repository=repository, number=self.number))
        if not pull.open:
            raise NotAsApproved("the pull request was closed after the approval")
        if pull.head_repository_id != repository.id or pull.head_ref != self.branch:
            raise NotAsApproved("the pull request's branch is not in this repository any more")
        if pull.head != self.change.parent:
            raise NotAsApproved(f"the branch has moved to {pull.head[:9]} after the approval")
        await forge.pusher(repository, f"refs/heads/{self.branch}", self.change, self.change.parent)
        return self.number

    async def find(self, forge: Forge, making: Making) -> int | None:
        """The pull request's number, where its branch holds the commit already, whatever came on top of it since."""
        try:
            basehead = f"{self.change.commit}...{segment(self.branch)}"
            answer = await forge.read(making.repository, f"/compare/{basehead}")
        except NotFound:
            return None
        with sorted_errors():
            return self.number if answer["status"] in ("identical", "ahead") else None
