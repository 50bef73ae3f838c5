"""`/pool example`: what a file, or the thread, is about."""

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


class ExampleFacts(ThreadFacts):
    """What is to be explained."""

    path: str = ""


class Example(ReadingVerb[ExampleFacts, StatedAnswer]):
    """Answers in a comment of its own."""

    name = "example"
    summary = "Explains a file, or what the thread is about."
    places = EVERYWHERE
    arguments = "[PATH]"
    most_arguments = 1
    replies = True
    facts = ExampleFacts
    output = StatedAnswer
    brief_fields = frozenset({"path"})

    async def make_facts(
        self,
        services: Services,
        asked: CommandContext,
        common: dict[str, Any],
        pull: reads.Pull | None,
    ) -> ExampleFacts:
        """Keep the path."""
        return ExampleFacts(**common, path=asked.text)

    async def brief(
        self, context: StepContext[ExampleFacts], material: ThreadPrompt
    ) -> Mapping[str, Any]:
        """Tell the agent what to explain."""
        return {"path": context.facts.path or "all of it"}

    async def finish(self, context: StepContext[ExampleFacts], result: StatedAnswer) -> VerbResult:
        """Post the answer."""
        return await answered(context, result)
