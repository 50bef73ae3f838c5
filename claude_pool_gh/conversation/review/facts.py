"""What a review's plan knows from the start, besides what every chain does."""

from __future__ import annotations

from claude_pool_gh.config.model import Review
from claude_pool_gh.conversation.facts import Facts
from claude_pool_gh.pool.ports import HostStepContext


class ReviewFacts(Facts):
    """Stored as the plan's context."""

    focus: str = ""
    paths: tuple[str, ...] = ()
    guidance: str = ""
    settings: Review = Review()


def facts_of(context: HostStepContext) -> ReviewFacts:
    """The facts of the chain that a host step belongs to."""
    return ReviewFacts.model_validate(context.plan.context)
