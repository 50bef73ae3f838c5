"""Which earlier run a command steers, and who may: shared by `/pool cancel`, `retry` and `continue`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from claude_pool_gh.commands.grammar import Verb
from claude_pool_gh.conversation.handler import VerbHandler
from claude_pool_gh.conversation.lookups.chain_lookup import NoSingleChain, meant
from claude_pool_gh.conversation.services import Answer, CommandContext, Services, needed_role
from claude_pool_gh.conversation.tracking.progress import Progress
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction


async def steered(
    services: Services,
    asked: CommandContext,
    every: Mapping[str, VerbHandler],
    fits: Callable[[Transaction, ChainRow], bool],
    what: str,
) -> ChainRow | NoSingleChain:
    """Find the run that is named or, without a name, the newest that fits."""
    return await services.database.read(
        lambda tx: meant(
            tx,
            asked,
            lambda chain: fits(tx, chain),
            what=what,
            newest=True,
            title=titles(tx, services, every),
        )
    )


def titles(
    tx: Transaction, services: Services, every: Mapping[str, VerbHandler]
) -> Callable[[ChainRow], str]:
    """Call each run by what came of it."""
    progress = Progress(services.clock, every)
    return lambda chain: progress.title_of(tx, chain)


def not_allowed(asked: CommandContext, verb: Verb) -> Answer | None:
    """The answer to somebody who may steer, but may not give the command that is steered."""
    needed = needed_role(verb, asked.config)
    return (
        Answer(replies.not_allowed(verb.name, needed, asked.role)) if asked.role < needed else None
    )
