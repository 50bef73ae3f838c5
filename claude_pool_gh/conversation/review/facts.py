"""What a review's plan knows from the start, frozen when the command was accepted."""

from __future__ import annotations

from typing import Literal

from claude_pool_gh.config.model import Review
from claude_pool_gh.pool.ports import HostStepContext
from claude_pool_gh.terms.ids import Term, Thread


class Facts(Term):
    """Stored as the plan's context."""

    thread: Thread
    requester: str
    head: str
    base: str
    base_ref: str
    default_branch: str
    focus: str = ""
    paths: tuple[str, ...] = ()
    guidance: str = ""
    settings: Review = Review()
    on_error: Literal["neutral", "failure"] = "neutral"

    @property
    def refs(self) -> list[str]:
        """Where the commits are found; a fork's head too."""
        return [f"refs/heads/{self.base_ref}", f"refs/pull/{self.thread.number}/head"]

    @property
    def key(self) -> str:
        """Names the thread in our rows."""
        return f"{self.thread.repository.id}:{self.thread.number}"


def facts_of(context: HostStepContext) -> Facts:
    """The facts of the chain that a host step belongs to."""
    return Facts.model_validate(context.plan.context)
