"""Which patches a thread shows for a decision, and under which IDs."""

from __future__ import annotations

from claude_pool_gh.conversation.changes.change_facts import ChangeFacts
from claude_pool_gh.conversation.changes.gates import gate_of
from claude_pool_gh.conversation.facts import facts_of
from claude_pool_gh.conversation.lookups.chain_lookup import of_thread
from claude_pool_gh.conversation.services import CommandContext
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.markdown import SafeMarkdown


def waiting(tx: Transaction, asked: CommandContext, given: str) -> ChainRow | None:
    """The thread's chain that showed this ID, whether it still holds or not."""
    return next((chain for chain in of_thread(tx, asked.key) if shown(tx, chain) == given), None)


def shown(tx: Transaction, chain: ChainRow) -> str | None:
    """The ID under which a chain's gate was shown."""
    if chain.state is not ChainState.parked or "merge_base" not in chain.plan.context:
        return None
    facts = facts_of(chain.plan.context, ChangeFacts)
    gate = gate_of(
        tx, chain, head=facts.head, merge_base=facts.merge_base, config_blob=facts.config_blob
    )
    return None if gate is None else gate.id


def which(tx: Transaction, asked: CommandContext) -> SafeMarkdown:
    """Without an ID nothing is approved: it says which there are."""
    found = [
        (gate, chain.plan.verb) for chain in of_thread(tx, asked.key) if (gate := shown(tx, chain))
    ]
    if not found:
        return replies.no_candidate("approve")
    return replies.candidates(asked.command.verb.name, found)
