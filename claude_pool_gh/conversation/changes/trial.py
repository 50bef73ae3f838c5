"""A change tried before it is laid before people: its checks are run, and its patch is shown to the agents after it.

The agent that made a patch learns what its checks printed, once, and may fix it; people decide on what comes of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from claude_pool_gh.conversation.changes import checks
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import work_of
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.prompts.thread_prompt import new_fence
from claude_pool_gh.conversation.services import Services
from claude_pool_gh.pool.model.errors import StepFailed
from claude_pool_gh.pool.model.ports import CapturedChange, Done, HostStep, HostStepContext
from claude_pool_gh.pool.store import chains
from claude_pool_gh.worktrees.errors import WorktreeError
from claude_pool_gh.worktrees.snapshot import Signature

_PATCH_LIMIT: Final = 40_000


def host_steps(services: Services) -> dict[str, HostStep]:
    """The steps that a recipe puts between its agents."""

    async def check(context: HostStepContext) -> Done:
        """Run the repository's checks on the chain's work so far."""
        work, facts = await _work(services, context), facts_of(context.plan.context, ChangeFacts)
        if work is None or not facts.checks:
            return Done({"failed": False, "feedback": ""})
        result = await checks.run(services, facts, await _commit(services, facts, work))
        feedback = checks.as_feedback(result)
        return Done(
            result | {"digest": work.digest, "failed": bool(feedback), "feedback": feedback}
        )

    async def show(context: HostStepContext) -> Done:
        """Hand on the patch of the chain's work so far, for agents that cannot ask git."""
        work = await _work(services, context)
        return Done({"patch": fenced(work.patch if work else b"")})

    return {checks.TRIAL: check, "change.show": show}


def known(results: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """The known results of the checks of exactly this work; nothing where other work, or none, was tried. Pure."""
    for result in results.values():
        if isinstance(result, dict) and result.get("digest") == digest and "checked" in result:
            return {"checks": result["checks"], "checked": result["checked"]}
    return {}


def fenced(patch: bytes) -> str:
    """A patch as material, no longer than an agent should read. Pure."""
    text = patch.decode(errors="replace")
    if not text:
        return "(nothing was changed)"
    cut = "\n(the rest is left out; read the files)" if len(text) > _PATCH_LIMIT else ""
    fence = new_fence()
    return f"{fence}\n{text[:_PATCH_LIMIT]}{cut}\n{fence}"


async def _work(services: Services, context: HostStepContext) -> CapturedChange | None:
    def read(tx: Any) -> CapturedChange | None:
        return work_of(tx, chains.get(tx, context.chain_id))

    work = await services.database.read(read)
    return work if work is not None and work.patch else None


async def _commit(services: Services, facts: ChangeFacts, work: CapturedChange) -> str:
    """The work as a commit that is never pushed: only its files count here."""
    nobody = Signature(
        message="Tried before anybody decides",
        name="claude-pool",
        email="noreply@localhost",
        when_s=0,
    )
    try:
        return await services.worktrees.commit(facts.thread.repository.id, work, facts.head, nobody)
    except WorktreeError as error:
        raise StepFailed(f"the change cannot be made a commit: {error.what}", ours=True) from error
