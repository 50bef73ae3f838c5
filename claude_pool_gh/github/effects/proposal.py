"""A pull request with an approved commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar, Final, Literal, Self

from claude_pool_gh.github.api import Forge, segment
from claude_pool_gh.github.client import sorted_errors
from claude_pool_gh.github.effects.change import Authority, Change, check_authority
from claude_pool_gh.github.effects.effect import Effect, Making
from claude_pool_gh.github.effects.marks import our_id
from claude_pool_gh.github.errors import ForgeRefused, ForgeUnavailable, NotAsApproved, NotFound
from claude_pool_gh.terms.ids import Repository

_SHOWN_AFTER: Final = (0.5, 1.0, 2.0)
"""Seconds to wait before a pull request is asked for again whose branch GitHub does not know yet."""


class Proposal(Effect):
    """A new branch with a commit, and a pull request for it."""

    kind: Literal["proposal"] = "proposal"
    priority: ClassVar[int] = 0
    called: ClassVar[str] = "the pull request with the change"
    permission: ClassVar[str] = "contents=write, pull_requests=write"
    once: ClassVar[bool] = True
    branch: str
    base: str
    change: Change
    title: str
    body: str
    draft: bool = False
    authority: Authority

    def texts(self) -> tuple[str, ...]:
        """Title and body; the commit cannot be changed any more: see `Change`."""
        return (self.title, self.body)

    def reworded(self, change: Callable[[str], str]) -> Self:
        """With another title and body."""
        return self._with(title=change(self.title), body=change(self.body))

    def withheld(self, note: str, holds_secret: Callable[..., bool]) -> Self:  # noqa: ARG002
        """Without both."""
        return self._with(title="Changes by an agent", body=note)

    async def make(self, forge: Forge, making: Making) -> int:
        """Make the branch and the pull request for it; its number."""
        repository = making.repository
        await check_authority(forge, repository, self.authority)
        standing = await _branch_head(forge, repository, self.branch)
        if standing is None:
            await forge.pusher(repository, f"refs/heads/{self.branch}", self.change, None)
        elif standing != self.change.commit:
            raise NotAsApproved(
                f"there is a branch {self.branch} already, with something else on it"
            )
        body = {
            "title": self.title,
            "head": self.branch,
            "base": self.base,
            "body": self.body,
            "draft": self.draft,
        }
        # Not `stamina`: before each try it is looked up whether the last one did it.
        for wait in (*_SHOWN_AFTER, None):
            try:
                made = await forge.call("POST", repository, "/pulls", body)
            except ForgeRefused as error:
                if error.status != 422:
                    raise
                if (found := await self.find(forge, making)) is not None:
                    return found
                if wait is None or "head" not in error.message:
                    raise
                # GitHub shows a new branch a moment after it has taken it
                await asyncio.sleep(wait)
            else:
                with sorted_errors():
                    return int(made["number"])
        raise ForgeUnavailable("unreachable")

    async def find(self, forge: Forge, making: Making) -> int | None:
        """The number of our pull request for the branch, open or not."""
        repository = making.repository
        own = await our_id(forge, repository)
        head = f"{repository.owner}:{self.branch}"
        async for pull in forge.pages(repository, "/pulls", head=head, state="all"):
            if (pull.get("user") or {}).get("id") == own:
                return int(pull["number"])
        return None


async def _branch_head(forge: Forge, repository: Repository, branch: str) -> str | None:
    try:
        answer = await forge.read(repository, f"/git/ref/heads/{segment(branch)}")
    except NotFound:
        return None
    with sorted_errors():
        return str(answer["object"]["sha"])
