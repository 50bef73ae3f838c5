"""`/pool implement`: plans and makes what an issue asks for; after an approval a pull request is opened."""

from __future__ import annotations

from typing import Final

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation import changes, outputs
from claude_pool_gh.conversation.change_facts import ChangeFacts, decided, new_branch, with_limits
from claude_pool_gh.conversation.cookbook import EDITING, Cookbook
from claude_pool_gh.conversation.desk import (
    Answer,
    Asked,
    Desk,
    Reply,
    Start,
    VerbRoom,
    caps_of,
    facts_for,
    plan_of,
)
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.material import about_thread
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.ports import Done, Finish, HostStep, HostStepContext
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.views import Changed
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.roles import Role

VERB: Final = Verb(
    name="implement",
    summary="Plans, makes and checks what the issue asks for; waits for approval before it opens a pull request.",
    places=frozenset({"issue"}),
    role=Role.write,
    arguments="[TEXT]",
    free_text=True,
    flags=COMMON,
    spends=True,
    pushes=True,
)


class ImplementFacts(ChangeFacts):
    """What is to be made, besides what the issue says."""

    more: str = ""


async def answer(desk: Desk, asked: Asked) -> Reply:
    """Plan a change of the default branch as it is now."""
    if not asked.issue.open:
        return Answer(replies.closed("issue"))
    cookbook = Cookbook(
        desk, asked, hosts=frozenset(host_steps(desk)), outputs=outputs.schemas(), tools=EDITING
    )
    steps = await cookbook.steps("implement", turns=asked.config.changes.turns)
    common = await facts_for(desk, asked, None)
    facts = ImplementFacts(
        **common,
        **await decided(desk, asked, asked.branch),
        merge_base=common["head"],
        branch=new_branch(asked),
        into=asked.branch,
        more=asked.text[:2_000],
    )
    caps = caps_of(asked.config, asked.command, desk.defaults)
    return Start(plan_of(desk, asked, with_limits(steps, asked.config), facts, caps), caps)


def host_steps(desk: Desk) -> dict[str, HostStep]:
    """The recipe's steps that run without a model."""

    async def brief(context: HostStepContext) -> Done:
        facts = facts_of(context.plan.context, ImplementFacts)
        material = await about_thread(desk, facts, "implement")
        more = f"\n\nThe maintainer who asked adds: {facts.more}" if facts.more else ""
        return Done(material.result | {"about": material.about + more})

    async def ready(context: HostStepContext) -> Done | Finish:
        """A plan that needs answers first ends here, with its questions."""
        planned = context.results["plan"][0].get("structured") or {}
        if planned.get("ready"):
            return Done({})
        questions = [str(each) for each in planned.get("questions") or ["What exactly is wanted?"]]
        outcome = Outcome(verdict=Verdict.answered)
        return Finish(outcome, {"questions": questions})

    return {"implement.brief": brief, "implement.ready": ready, **changes.host_steps(desk)}


def report(tx: Transaction, chain: ChainRow) -> Changed | None:
    """What the tracking comment shows: the change, or what must be answered before there can be one."""
    asked = chain.results.get("ready")
    if isinstance(asked, dict) and asked.get("questions"):
        return changes.open_questions(facts_of(chain.plan.context, ImplementFacts), asked["questions"])
    return changes.report(tx, chain)


ROOM: Final = VerbRoom(
    VERB,
    answer,
    host_steps,
    report=report,
    intent=lambda _chain: "Plans, makes and checks the change, and waits for approval of the exact patch.",
)
