"""Verbs whose agents change files: their work is laid before people, and goes out as exactly what was approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from claude_pool_gh.config.model import RepositoryConfig
from claude_pool_gh.conversation.agent_verb import AgentVerb, F
from claude_pool_gh.conversation.changes import change_report, checks
from claude_pool_gh.conversation.changes import publication as changes
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts, with_limits
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.recipes.recipe_terms import EDITING
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.pool.model.plan import Step
from claude_pool_gh.pool.model.ports import HostStep
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import Report
from claude_pool_gh.storage import Transaction

_LETS_OUT: Final = frozenset({"change.push", "change.open"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    checks.TRIAL: frozenset({"failed", "feedback", "checks", "checked", "digest"}),
    "change.show": frozenset({"patch"}),
}


class ChangingVerb(AgentVerb[F]):
    """A verb whose agents change files. Its facts are made of `ChangeFacts`; people decide before anything is pushed.

    Its recipe lays the change before people in a step `propose` (`host: change.propose`, `gate: true`) and lets it out
    with `host: change.push`, or with `host: change.open` in a pull request of its own.
    """

    tools = EDITING
    pushes = True
    check = True

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """The gate, and behind it the step that lets the change out."""
        needs = super().recipe_needs
        return replace(
            needs,
            one_of=_LETS_OUT,
            gate=("propose", checks.STEP),
            reads={call: {"propose": checks.STEP} for call in _LETS_OUT},
            fields={**needs.fields, **_FIELDS},
        )

    def turns(self, config: RepositoryConfig) -> int:
        """See `AgentVerb.turns`."""
        return config.changes.turns

    def prepared(self, steps: tuple[Step, ...], config: RepositoryConfig) -> tuple[Step, ...]:
        """The recipe's steps, with as many rejections as the configuration allows."""
        return with_limits(steps, config)

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """The brief, and the steps that try a change, lay it before people and let it out."""
        return super().host_steps(services) | changes.host_steps(services)

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:
        """Show the change, and what became of it."""
        return change_report.report(tx, chain)

    @classmethod
    def faults(cls) -> list[str]:
        """See `VerbHandler.faults`."""
        found = super().faults()
        facts = getattr(cls, "facts", None)
        if isinstance(facts, type) and not issubclass(facts, ChangeFacts):
            found.append(
                "facts that say where its change goes: facts = a class made of ChangeFacts"
            )
        return found
