"""`/pool implement`: plans and makes what an issue asks for; after an approval a pull request is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from claude_pool_gh.conversation.agent_verb import StepContext
from claude_pool_gh.conversation.changes import change_report
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts, decided, new_branch
from claude_pool_gh.conversation.changing_verb import ChangingVerb
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.prompts.thread_prompt import ON_AN_ISSUE, ThreadPart, ThreadPrompt
from claude_pool_gh.conversation.recipes.recipe_fit import RecipeNeeds
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.github import reads
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import Report
from claude_pool_gh.storage import Transaction

_READY = "implement.ready"


class StatedPlan(BaseModel):
    """The planning agent's plan; what else it says is for the agents after it."""

    ready: bool
    questions: tuple[str, ...] = ()


class ImplementFacts(ChangeFacts):
    """The wish of whoever asked, besides what the issue says."""

    more: str = ""


class Implement(ChangingVerb[ImplementFacts]):
    """Changes the default branch as it is now, in a pull request of its own."""

    name = "implement"
    summary = "Plans, makes and checks what the issue asks for; waits for approval before it opens a pull request."
    places = frozenset({"issue"})
    arguments = "[TEXT]"
    free_text = True
    order = 40
    only_open = True
    facts = ImplementFacts
    sees = ON_AN_ISSUE | {ThreadPart.questions}

    async def make_facts(
        self,
        services: Services,
        asked: CommandContext,
        common: dict[str, Any],
        pull: reads.Pull | None,
    ) -> ImplementFacts:
        """Decide where the change goes."""
        return ImplementFacts(
            **common,
            **await decided(services, asked, asked.branch),
            merge_base=common["head"],
            branch=new_branch(asked),
            into=asked.branch,
            more=asked.text[:2_000],
        )

    async def brief(
        self, context: StepContext[ImplementFacts], material: ThreadPrompt
    ) -> Mapping[str, Any]:
        """Tell the agents what the maintainer adds."""
        more = context.facts.more
        return (
            {"about": f"{material.about}\n\nThe maintainer who asked adds: {more}"} if more else {}
        )

    @property
    def recipe_needs(self) -> RecipeNeeds:
        """Those of a change, and where the recipe asks whether to begin, the plan."""
        needs = super().recipe_needs
        return replace(needs, reads={**needs.reads, _READY: {"plan": StatedPlan}})

    def host_steps(self, services: Services) -> dict[str, HostStep]:
        """Those of a change, and the one that ends with questions a request that leaves open what is wanted."""

        async def ready(context: HostStepContext) -> Done | Finish:
            planned = self.context(services, context).stated("plan", StatedPlan)
            if planned.ready:
                return Done({})
            questions = list(planned.questions) or ["What exactly is wanted?"]
            outcome = Outcome(verdict=Verdict.answered)
            return Finish(outcome, {"questions": questions})

        return super().host_steps(services) | {_READY: ready}

    def report(self, tx: Transaction, chain: ChainRow) -> Report | None:
        """Show the change, or what must be answered before there can be one."""
        asked = chain.results.get("ready")
        if isinstance(asked, dict) and asked.get("questions"):
            return change_report.open_questions(
                facts_of(chain.plan.context, ImplementFacts), asked["questions"]
            )
        return super().report(tx, chain)

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        return "Plans, makes and checks the change, and waits for approval of the exact patch."
