"""Host steps of a chain that another machine began: what its earlier steps had fetched is fetched here too."""

from __future__ import annotations

import logging

from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.worktrees.errors import OriginUnavailable, WorktreeError
from claude_pool_gh.worktrees.leases import Worktrees

logger = logging.getLogger(__name__)


def with_commits(worktrees: Worktrees, step: HostStep) -> HostStep:
    """The step, once the commits that its chain is about are in this machine's mirror. It costs nothing where they are.

    Raises OriginUnavailable, which passes. A commit that cannot be had at all is for the step to put into words.
    """

    async def run(context: HostStepContext) -> Done | Finish:
        facts = facts_of(context.plan.context, ThreadFacts)
        point = _branch_point(context) if worktrees.is_shallow else ""
        wanted = [commit for commit in (facts.head, facts.base, point) if commit]
        try:
            await worktrees.fetch(facts.thread.repository.id, wanted, facts.refs)
        except OriginUnavailable:
            raise
        except WorktreeError as error:
            logger.info(
                "not fetched: %s", error, extra={"action": "not_fetched", "chain": context.chain_id}
            )
        return await step(context)

    return run


def _branch_point(context: HostStepContext) -> str:
    """The commit from which the head went its own way, where an earlier step has found it; "" for none."""
    brief = context.results.get("brief")
    return str(brief.get("merge_base") or "") if isinstance(brief, dict) else ""
