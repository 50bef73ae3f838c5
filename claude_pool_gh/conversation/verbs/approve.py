"""`/pool approve`: a person's word on exactly what a gate shows."""

from __future__ import annotations

from dataclasses import dataclass

from claude_pool_gh.config.owners import parse as parse_owners
from claude_pool_gh.conversation.caps import name_of
from claude_pool_gh.conversation.changes import open_gates
from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import Gate, gate_of, needed
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.branch_point import merge_base
from claude_pool_gh.conversation.lookups.chain_lookup import of_thread
from claude_pool_gh.conversation.services import (
    Act,
    ActResult,
    Answer,
    CommandContext,
    Reply,
    Services,
)
from claude_pool_gh.github import decisions, reads
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import approvals, chains
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.reports.changes import files_of
from claude_pool_gh.storage import Transaction


@dataclass(frozen=True, slots=True)
class _Live:
    """The thread as it is on GitHub at this moment, against which is approved."""

    head: str
    merge_base: str
    config_blob: str
    why_not: str = ""
    """Why nothing can be approved here at all."""


class Approve(ControlVerb):
    """Counts an approval; the last one that is needed lets the patch out."""

    name = "approve"
    summary = "Pushes exactly the patch with this ID, on exactly that commit."
    places = EVERYWHERE
    arguments = "ID"
    most_arguments = 1
    is_own_word = True
    order = 201

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Open a gate, if the ID is that of what would go out now."""
        if not asked.command.words:
            return Answer(await services.database.read(lambda tx: open_gates.which(tx, asked)))
        given = asked.command.words[0].lower()
        chain = await services.database.read(lambda tx: open_gates.waiting(tx, asked, given))
        if chain is None:
            return Answer(replies.unknown_id(given))
        live = await _live(services, asked, chain)
        return Act(lambda tx: _approve(tx, services, asked, chain.id, given, live))


def _approve(
    tx: Transaction,
    services: Services,
    asked: CommandContext,
    chain_id: str,
    given: str,
    live: _Live,
) -> ActResult:
    chains.lock(tx, chain_id)
    chain, now = chains.get(tx, chain_id), services.clock.now_ms()
    facts = facts_of(chain.plan.context, ChangeFacts)
    gate = gate_of(
        tx, chain, head=live.head, merge_base=live.merge_base, config_blob=live.config_blob
    )
    # Invariant: the ID that was given is made anew from what would go out now. Nothing else opens a gate.
    if live.why_not or gate is None or gate.id != given:
        why = live.why_not or _why(facts, live, chain)
        return replies.stale_gate(given, why, _waits_now(tx, asked, given, live)), None
    actor = asked.request.actor
    if facts.policy.four_eyes and actor.id == facts.requester.id:
        return replies.not_counted(), None
    decisions.approve(tx, gate.id, chain_id, actor, now)
    people = decisions.approvals_of(tx, gate.id)
    missing = needed(
        facts.policy,
        people,
        _paths(gate),
        requester_id=facts.requester.id,
        rules=parse_owners(facts.codeowners),
    )
    if missing:
        still = replies.still_needed(missing.people, missing.why, missing.owners)
        return replies.approved(gate.id, [each.login for each in people], still), chain_id
    try:
        with tx.begin_nested():
            approvals.approve(tx, chain_id, now)
    except CapReached as refusal:
        cap = name_of(refusal.cap, services.runs_in)
        return replies.cap_reached(refusal, asked.request.line, cap=cap), None
    return None, chain_id


def _waits_now(tx: Transaction, asked: CommandContext, given: str, live: _Live) -> str | None:
    """The ID of the thread's newest patch that waits on the present head; whether it still holds is another look."""
    for chain in of_thread(tx, asked.key):
        shown = open_gates.shown(tx, chain)
        if (
            shown not in (None, given)
            and facts_of(chain.plan.context, ChangeFacts).head == live.head
        ):
            return shown
    return None


async def _live(services: Services, asked: CommandContext, chain: ChainRow) -> _Live:
    facts = facts_of(chain.plan.context, ChangeFacts)
    blob = asked.configuration.blob
    if facts.place == "issue":
        # What goes out is a branch from the commit that was read; nobody else moves that.
        return _Live(facts.head, facts.merge_base, blob)
    pull = await reads.pull(services.forge, asked.thread)
    if not pull.open:
        return _Live(pull.head, "", blob, "the pull request is closed")
    if pull.head != facts.head or pull.base_ref != facts.base_ref:
        return _Live(pull.head, "", blob)
    base = await merge_base(services, asked.thread.repository, pull.base, pull.head)
    return _Live(pull.head, base, blob)


def _why(facts: ChangeFacts, live: _Live, chain: ChainRow) -> str:
    if chain.state is not ChainState.parked:
        return "nothing waits for approval there any more"
    if live.head != facts.head:
        return f"the head has moved to {live.head[:9]} since it was shown"
    if live.config_blob != facts.config_blob:
        return "the repository's configuration has changed since it was shown"
    if live.merge_base != facts.merge_base:
        return "the branch that it goes into has changed since it was shown"
    return "what would go out now is not what was shown under this ID"


def _paths(gate: Gate) -> list[str]:
    return [] if gate.work is None else [file.path for file in files_of(gate.work.patch)]
