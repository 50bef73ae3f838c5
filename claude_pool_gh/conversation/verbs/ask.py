"""`/pool ask`: a question, answered with links to the lines that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from claude_pool_gh.conversation.agent_verb import ReadingVerb, StepContext, VerbResult
from claude_pool_gh.conversation.answers import answered
from claude_pool_gh.conversation.facts import ThreadFacts
from claude_pool_gh.conversation.handler import EVERYWHERE
from claude_pool_gh.conversation.prompts.thread_prompt import ThreadPrompt
from claude_pool_gh.conversation.recipes.outputs import StatedAnswer
from claude_pool_gh.conversation.services import CommandContext, Services
from claude_pool_gh.github import reads
from claude_pool_gh.pool.store.chains import ChainRow


class AskFacts(ThreadFacts):
    """The question."""

    question: str


class Ask(ReadingVerb[AskFacts, StatedAnswer]):
    """Answers in a comment of its own."""

    name = "ask"
    summary = "Answers a question about the code, with links to the lines that show it."
    places = EVERYWHERE
    arguments = "TEXT"
    free_text = True
    needs = ("a question",)
    order = 20
    replies = True
    facts = AskFacts
    output = StatedAnswer
    brief_fields = frozenset({"question", "who"})

    async def make_facts(
        self,
        services: Services,
        asked: CommandContext,
        common: dict[str, Any],
        pull: reads.Pull | None,
    ) -> AskFacts:
        """Keep the question as it was written."""
        return AskFacts(**common, question=asked.text[:2_000])

    async def brief(
        self, context: StepContext[AskFacts], material: ThreadPrompt
    ) -> Mapping[str, Any]:
        """Tell the agent the question, and whose it is."""
        return {"question": context.facts.question, "who": context.facts.requester.login}

    async def finish(self, context: StepContext[AskFacts], result: StatedAnswer) -> VerbResult:
        """Post the answer."""
        return await answered(context, result)

    def intent(self, chain: ChainRow) -> str:
        """Say what it will do."""
        return "Reads the code and answers the question."
