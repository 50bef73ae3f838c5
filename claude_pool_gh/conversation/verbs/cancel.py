"""`/pool cancel`: ends what runs or waits."""

from __future__ import annotations

from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.chain_lookup import NoSingleChain, meant
from claude_pool_gh.conversation.services import Act, ActResult, CommandContext, Reply, Services
from claude_pool_gh.conversation.steering import titles
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction


class Cancel(ControlVerb):
    """Ends a run; whoever began it is told."""

    name = "cancel"
    summary = "Cancels what runs or waits here; work and cost are kept."
    places = EVERYWHERE
    arguments = "[ID]"
    most_arguments = 1
    order = 210

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """End a chain."""

        def do(tx: Transaction) -> ActResult:
            found = meant(
                tx, asked, _is_open, what="cancel", title=titles(tx, services, self.every)
            )
            if isinstance(found, NoSingleChain):
                return found.text, None
            chains.request_cancel(tx, found.id, services.clock.now_ms())
            facts = facts_of(found.plan.context, ThreadFacts)
            other = (
                facts.requester.id != asked.request.actor.id
                and facts.requester.is_human
                and facts.notify
            )
            return replies.cancelled(
                found.id, found.plan.verb, facts.requester.login if other else ""
            ), found.id

        return Act(do)


def _is_open(chain: ChainRow) -> bool:
    return chain.state is not ChainState.done and not chain.cancel_requested
