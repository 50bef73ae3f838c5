"""`/pool continue`: a run that ended early goes on from where it stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from claude_pool_gh.commands.flags import COMMON
from claude_pool_gh.conversation.changes.change_facts import as_decided_now
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.chain_lookup import NoSingleChain, of_thread
from claude_pool_gh.conversation.services import (
    Answer,
    CommandContext,
    Reply,
    Services,
    Start,
    caps_of,
    pull_of,
)
from claude_pool_gh.conversation.steering import not_allowed, steered
from claude_pool_gh.conversation.tracking.progress import CONTINUABLE
from claude_pool_gh.pool.model.plan import AgentRun, Branches, Plan, Step
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, continuation
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction


class Continue(ControlVerb):
    """Takes over the work of a run; whoever does needs what the command itself needs."""

    name = "continue"
    summary = "Resumes a run that ended early, from where it stopped."
    places = EVERYWHERE
    arguments = "[ID]"
    most_arguments = 1
    flags = tuple(flag for flag in COMMON if flag.name in ("budget", "turns"))
    spends = True
    order = 212

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Go on where a chain ended early; whoever does needs what the command itself needs."""
        found = await steered(services, asked, self.every, _ended_early, "continue")
        if isinstance(found, NoSingleChain):
            going = await services.database.read(lambda tx: _going_on(tx, asked))
            return Answer(replies.goes_on(going) if going else found.text)
        verb = self.every[found.plan.verb].verb
        if (refusal := not_allowed(asked, verb)) is not None:
            return refusal
        if (
            moved := await _has_moved(services, asked, facts_of(found.plan.context, ThreadFacts))
        ) is not None:
            return moved
        caps = caps_of(asked.config, asked.command, services.defaults)
        limits = found.plan.limits.model_copy(update={"task": caps.task, "chain": caps.chain})
        as_verb = replace(asked, command=replace(asked.command, verb=verb))
        context = await as_decided_now(services, as_verb, found.plan.context)
        plan = _with_more(found.plan, asked).model_copy(
            update={"limits": limits, "context": context}
        )

        def after(tx: Transaction, chain_id: str) -> None:
            continuation.take_over(tx, chains.get(tx, found.id), chain_id, services.clock.now_ms())

        return Start(plan, caps, after=after)


async def _has_moved(
    services: Services, asked: CommandContext, facts: ThreadFacts
) -> Answer | None:
    """The answer where a pull request is not what it was any more."""
    if facts.place != "pull":
        return None
    pull = await pull_of(services, asked)
    if not pull.open:
        return Answer(replies.closed())
    return (
        None
        if pull.head == facts.head
        else Answer(replies.moved_on(facts.head, pull.head, facts.line))
    )


def _going_on(tx: Transaction, asked: CommandContext) -> str:
    """The thread's newest run, or the one that is named, where it is not over and waits for nobody; "" for none."""
    named = asked.command.words[:1]
    for chain in of_thread(tx, asked.key):
        meant = not named or chain.id == named[0].lower()
        if meant and chain.outcome is None and chain.state is not ChainState.parked:
            return chain.id
    return ""


def _ended_early(tx: Transaction, chain: ChainRow) -> bool:
    return (
        chain.outcome is not None
        and chain.outcome.verdict in CONTINUABLE
        and continuation.can_go_on(tx, chain)
    )


def _with_more(plan: Plan, asked: CommandContext) -> Plan:
    """The plan with as many turns as were asked for."""
    turns = asked.command.flags.get("turns")
    if turns is None:
        return plan
    return plan.model_copy(
        update={"steps": tuple(_with_turns(step, int(turns)) for step in plan.steps)}
    )


def _with_turns(step: Step, turns: int) -> Step:
    match step:
        case AgentRun():
            return _run_with(step, turns)
        case Branches():
            return step.model_copy(
                update={"branches": tuple(_run_with(run, turns) for run in step.branches)}
            )
        case _:
            return step


def _run_with(run: AgentRun, turns: int) -> AgentRun:
    more: dict[str, Any] = {"max_turns": max(turns, run.overrides.max_turns or 0)}
    return run.model_copy(update={"overrides": run.overrides.model_copy(update=more)})
