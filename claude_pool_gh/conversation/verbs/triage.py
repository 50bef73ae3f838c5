"""`/pool triage`: an issue in three sentences, with labels of the repository's own and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from claude_pool_gh.conversation.agent_verb import ReadingVerb, StepContext, VerbResult
from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.prompts.thread_prompt import ON_AN_ISSUE, ThreadPrompt, plain
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.findings.model import StatedModel
from claude_pool_gh.github import reads
from claude_pool_gh.github.effects.labels import Labels
from claude_pool_gh.github.effects.rows import want
from claude_pool_gh.github.errors import ForgeError
from claude_pool_gh.github.intake import LABEL
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports.views import TriageReport
from claude_pool_gh.reports.visible import visible_text
from claude_pool_gh.storage import Transaction

_Line = Annotated[str, Field(min_length=1, max_length=400)]


class StatedTriage(StatedModel):
    """The sorting of an issue."""

    summary: Annotated[
        str, Field(min_length=1, max_length=1_500, description="At most three sentences")
    ]
    labels: Annotated[
        tuple[_Line, ...], Field(max_length=4, description="Only from the list, as written")
    ] = ()
    missing: Annotated[tuple[_Line, ...], Field(max_length=8)] = ()
    note: Annotated[
        str, Field(max_length=1_000, description="If the code shows that it is intended")
    ] = ""


class Triage(ReadingVerb[ThreadFacts, StatedTriage]):
    """Adds labels that the repository has already."""

    name = "triage"
    summary = "Summarizes an issue, applies existing labels and lists missing information."
    places = frozenset({"issue"})
    order = 50
    facts = ThreadFacts
    output = StatedTriage
    answers_in = "sort"
    ends_in = "apply"
    reads_brief = True
    shows = TriageReport
    sees = ON_AN_ISSUE
    brief_fields = frozenset({"labels", "own"})
    most_turns = 20

    async def brief(
        self, context: StepContext[ThreadFacts], material: ThreadPrompt
    ) -> Mapping[str, Any]:
        """Tell the agent the labels that it may choose from."""
        own = await _labels(context.services, context.facts)
        return {"labels": material.fenced(shown(own)), "own": list(own)}

    async def finish(self, context: StepContext[ThreadFacts], result: StatedTriage) -> VerbResult:
        """Want the labels that the repository has; the others are left out."""
        thread, now = context.facts.thread, context.services.clock.now_ms
        chosen = tuple(label for label in result.labels if label in context.results["brief"]["own"])
        labels = Labels(number=thread.number, names=chosen)

        def commit(tx: Transaction) -> None:
            if chosen:
                want(tx, f"labels:{context.chain_id}", thread.repository, labels, now())

        return VerbResult(TriageReport(**result.model_dump() | {"labels": chosen}), commit)

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        return "Reads the issue and the related code, summarizes the issue and labels it."


def shown(labels: Mapping[str, str]) -> str:
    """Labels with what the repository says they mean, a line each. Pure."""
    lines = [
        f"- {plain(name)[:60]}" + (f": {meaning}" if (meaning := visible_text(said, 200)) else "")
        for name, said in labels.items()
    ]
    return "\n".join(" ".join(line.split()) for line in lines) or "(none)"


async def _labels(services: Services, facts: ThreadFacts) -> dict[str, str]:
    """The labels that an agent may choose from, with their descriptions: none that would start something."""
    try:
        own = await reads.labels(services.forge, facts.thread.repository)
    except ForgeError as error:
        raise StepFailed("GitHub could not be reached", ours=True) from error
    return dict([each for each in own if not each[0].startswith(LABEL)][:200])
