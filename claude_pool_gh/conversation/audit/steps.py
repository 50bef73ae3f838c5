"""The host's steps of an audit's recipe, by the names that recipes call them, and the shape of such a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from claude_pool_gh.conversation.audit import brief, check_claims, gather
from claude_pool_gh.conversation.audit.host import AuditHost
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.pool.model.errors import RecipeError
from claude_pool_gh.pool.model.plan import AgentRun, Step
from claude_pool_gh.pool.model.ports import HostStep

CALLS: Final = frozenset({"audit.brief", "audit.check", "audit.alike", "audit.gather"})
"""The names by which recipes call them."""
_SHAPE: Final = ("plan", "find", "check", "verify", "alike", "merge", "gather")


def host_steps(host: AuditHost) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""
    return {
        "audit.brief": lambda context: brief.brief(host, context),
        "audit.check": lambda context: check_claims.check_claims(host, context),
        "audit.alike": lambda context: gather.alike(host, context),
        "audit.gather": lambda context: gather.gather(host, context),
    }


class AuditNeeds(RecipeNeeds):
    """A repository may change skills, titles and limits of the recipe, not what its steps hand to each other."""

    def check(self, steps: Sequence[Step], where: str) -> None:
        """See `RecipeNeeds.check`."""
        names = tuple(step.name for step in steps)
        typed = [
            step.overrides.json_schema is not None for step in steps if isinstance(step, AgentRun)
        ]
        if names != _SHAPE or not all(typed):
            steps_ = ", ".join(_SHAPE)
            raise RecipeError(f"{where} must have the steps {steps_}, those of agents with outputs")
        super().check(steps, where)


NEEDS: Final = AuditNeeds(fields={"audit.brief": brief.FIELDS})
"""Exactly its own steps, which may ask for what its brief has."""


def beside(steps: Sequence[Step], most: int) -> tuple[Step, ...]:
    """The steps with no more agents beside each other than the audit may have."""
    return tuple(
        step.model_copy(update={"at_once": min(most, step.at_once or most)})
        if isinstance(step, AgentRun) and step.each is not None
        else step
        for step in steps
    )
