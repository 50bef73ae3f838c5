"""The facts of a review's plan, besides those of every chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.config.model import Review
from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.ports import HostStepContext

_DECISIVE: Final = frozenset({"digest", "digests", "generated"})
"""Without these of a brief a review could be green over what nobody has read."""


class ReviewFacts(ThreadFacts):
    """Stored as the plan's context."""

    focus: str = ""
    paths: tuple[str, ...] = ()
    guidance: str = ""
    settings: Review = Review()


def facts_of(context: HostStepContext) -> ReviewFacts:
    """The facts of the chain that a host step belongs to."""
    return ReviewFacts.model_validate(context.plan.context)


def brief_of(context: HostStepContext) -> Mapping[str, Any]:
    """The results of the first step. Raises StepFailed where an older version of this server found them.

    Those do not say against what the review is held, or what nobody reads: nothing true could be said at its end.
    """
    brief: Mapping[str, Any] = context.results["brief"]
    if not brief.keys() >= _DECISIVE:
        reason = "this server was upgraded after the review had begun; /pool retry begins it anew"
        raise StepFailed(reason, ours=True, anew=True)
    return brief
