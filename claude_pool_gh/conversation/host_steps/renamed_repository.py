"""Host steps of a repository that was renamed or transferred since its chain was planned."""

from __future__ import annotations

from dataclasses import replace

from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.github.inbox import known_repository
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.storage import Database


def under_present_name(database: Database, step: HostStep) -> HostStep:
    """The step, told where its thread is by now: a plan is frozen, and names the repository as it was."""

    async def run(context: HostStepContext) -> Done | Finish:
        thread = facts_of(context.plan.context, ThreadFacts).thread
        known = await database.read(lambda tx: known_repository(tx, thread.repository.id))
        if known is None or known == thread.repository:
            return await step(context)
        moved = thread.model_copy(update={"repository": known}).model_dump(mode="json")
        plan = context.plan.model_copy(update={"context": context.plan.context | {"thread": moved}})
        return await step(replace(context, plan=plan))

    return run
