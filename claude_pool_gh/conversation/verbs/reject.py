"""`/pool reject`: what a gate shows goes back to the agent, with a person's words."""

from __future__ import annotations

from claude_pool_gh.conversation.caps import name_of
from claude_pool_gh.conversation.changes import checks, open_gates
from claude_pool_gh.conversation.changes.gates import waiting_step
from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.services import (
    Act,
    ActResult,
    Answer,
    CommandContext,
    Reply,
    Services,
)
from claude_pool_gh.pool.model.errors import CapReached
from claude_pool_gh.pool.store import approvals, chains
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction


class Reject(ControlVerb):
    """Runs the agent again, as often as the configuration allows."""

    name = "reject"
    summary = "Runs the agent again with your feedback and all earlier feedback."
    places = EVERYWHERE
    arguments = "ID TEXT"
    free_text = True
    needs = ("", "a description of what should be different")
    is_own_word = True
    order = 202

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Send what a gate shows back, with words."""
        words = asked.command.words
        if not words:
            return Answer(await services.database.read(lambda tx: open_gates.which(tx, asked)))
        chain = await services.database.read(
            lambda tx: open_gates.waiting(tx, asked, words[0].lower())
        )
        if chain is None:
            return Answer(replies.unknown_id(words[0]))
        text = asked.text.removeprefix(words[0]).strip()
        return Act(lambda tx: _reject(tx, services, asked, chain.id, text[:4_000]))


def _reject(
    tx: Transaction, services: Services, asked: CommandContext, chain_id: str, text: str
) -> ActResult:
    chains.lock(tx, chain_id)
    chain = chains.get(tx, chain_id)
    given = asked.command.words[0]
    # decided meanwhile, or done again: it is another patch's turn
    if open_gates.shown(tx, chain) != given.lower():
        return replies.unknown_id(given), None
    try:
        with tx.begin_nested():
            again = approvals.reject(
                tx, chain_id, _feedback(chain, asked, text), services.clock.now_ms()
            )
    except CapReached as refusal:
        cap = name_of(refusal.cap, services.runs_in)
        return replies.cap_reached(refusal, asked.request.line, cap=cap), None
    after = chains.get(tx, chain_id)
    counts = [len(step.rejections) for step in after.steps]
    most = max((step.max_rejections for step in after.plan.steps if step.gate), default=1)
    return replies.rejected(again, max(counts) if again else most, most), chain_id


def _feedback(chain: ChainRow, asked: CommandContext, text: str) -> str:
    """A person's words, and below them what the checks had printed: the agent cannot run them itself."""
    shown = waiting_step(chain)
    result = shown.result if shown is not None and isinstance(shown.result, dict) else {}
    said = f"{asked.request.actor.login}: {' '.join(text.split())}"
    return "\n\n".join(filter(None, (said, checks.as_feedback(result))))
