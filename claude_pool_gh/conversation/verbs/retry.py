"""`/pool retry`: an earlier command once more."""

from __future__ import annotations

from dataclasses import replace

from claude_pool_gh.commands.grammar import Command, parse
from claude_pool_gh.conversation.agent_verb import AgentVerb
from claude_pool_gh.conversation.facts import ThreadFacts, facts_of
from claude_pool_gh.conversation.handler import EVERYWHERE, ControlVerb
from claude_pool_gh.conversation.lookups.chain_lookup import NoSingleChain
from claude_pool_gh.conversation.services import Answer, CommandContext, Reply, Services
from claude_pool_gh.conversation.steering import not_allowed, steered
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies


class Retry(ControlVerb):
    """Gives a command again; whoever does needs what the command itself needs."""

    name = "retry"
    summary = "Runs an earlier command again, as things are now."
    places = EVERYWHERE
    arguments = "[ID]"
    most_arguments = 1
    spends = True
    order = 211

    async def answer(self, services: Services, asked: CommandContext) -> Reply:
        """Ask for the same again, as things are now; whoever retries needs what the command itself needs."""
        found = await steered(
            services, asked, self.every, lambda _tx, chain: _is_over(chain), "run again"
        )
        if isinstance(found, NoSingleChain):
            return Answer(found.text)
        line = facts_of(found.plan.context, ThreadFacts).line
        agents = {name: each for name, each in self.every.items() if isinstance(each, AgentVerb)}
        command = parse(line, {name: each.verb for name, each in agents.items()})
        if not isinstance(command, Command):
            return Answer(replies.no_candidate("run again"))
        if (refusal := not_allowed(asked, command.verb)) is not None:
            return refusal
        request = asked.request.model_copy(update={"line": line})
        again = replace(asked, command=command, request=request)
        return await agents[command.verb.name].answer(services, again)


def _is_over(chain: ChainRow) -> bool:
    """A chain that has ended, or waits with something that nobody can approve any more."""
    return chain.state in (ChainState.done, ChainState.parked)
