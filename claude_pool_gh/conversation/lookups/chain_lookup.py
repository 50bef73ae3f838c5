"""Which chain of a thread a command means: the one that is named or, without a name, the only one that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from claude_pool_gh.conversation.caps import CONVERSATION
from claude_pool_gh.conversation.services import CommandContext
from claude_pool_gh.pool.store import lookup
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.reports import replies
from claude_pool_gh.storage import Transaction
from claude_pool_gh.terms.markdown import SafeMarkdown

_MOST = 50


@dataclass(frozen=True, slots=True)
class NoSingleChain:
    """No chain, or several, and what to say of that."""

    text: SafeMarkdown


def of_thread(tx: Transaction, thread: str) -> list[ChainRow]:
    """The thread's chains, newest first."""
    return lookup.newest_of(tx, CONVERSATION, thread, limit=_MOST)


def meant(
    tx: Transaction,
    asked: CommandContext,
    fits: Callable[[ChainRow], bool],
    *,
    what: str,
    title: Callable[[ChainRow], str],
    newest: bool = False,
) -> ChainRow | NoSingleChain:
    """The chain that a command means. `newest`: without a name the newest that fits, however many do."""
    found: Sequence[ChainRow] = of_thread(tx, asked.key)
    if asked.command.words:
        given = asked.command.words[0]
        named = [chain for chain in found if chain.id == given.lower()]
        if not named:
            return NoSingleChain(replies.unknown_id(given))
        return named[0] if fits(named[0]) else NoSingleChain(replies.no_candidate(what))
    fitting = [chain for chain in found if fits(chain)]
    if not fitting:
        return NoSingleChain(replies.no_candidate(what))
    if len(fitting) > 1 and not newest:
        verb = asked.command.verb.name
        return NoSingleChain(
            replies.candidates(
                verb, [(each.id, f"{each.plan.verb}, {title(each)}") for each in fitting]
            )
        )
    return fitting[0]
