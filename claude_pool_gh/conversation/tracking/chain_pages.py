"""Everything that is read to show a chain: itself, its money, the line, and its thread's other chains of the verb.

In a fixed number of statements: this happens in each transaction that changes a chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from claude_pool_gh.conversation.caps import CONVERSATION, REPOSITORY
from claude_pool_gh.conversation.tracking import queue_position
from claude_pool_gh.conversation.tracking.queue_position import SlotQueue
from claude_pool_gh.github import thread_rows
from claude_pool_gh.pool.model.states import OPEN
from claude_pool_gh.pool.store import bill, chains, lookup, tasks
from claude_pool_gh.pool.store.bill import Bill
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.lookup import RelatedChain
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Transaction

_EARLIER: Final = 5


@dataclass(frozen=True, slots=True)
class ChainPage:
    """One chain with what its page says besides its own rows."""

    chain: ChainRow
    runs: Sequence[TaskRow]
    bill: Bill
    queue: SlotQueue
    thread_head: str
    """The head that the pull request is known to have now; "" where nothing is known."""
    thread_base: str
    """The branch that it is known to go into now; "" where nothing is known."""
    earlier: Sequence[ChainRow] = ()
    """The thread's earlier runs of the same verb, newest first."""


@dataclass(frozen=True, slots=True)
class ChainPages:
    """A chain, and the one whose page stands in the thread: itself, or a later one of its verb, workflow and audit."""

    own: ChainPage
    newest: ChainPage
    newest_at_head: str
    """The thread's newest chain of the verb that is about the same commit."""


def read(
    tx: Transaction, chain_id: str, now_ms: int, *, alone: bool = False, at: SlotQueue | None = None
) -> ChainPages:
    """Read it. `alone`: whatever came later. `at`: the line, where it is known. Raises UnknownChain."""
    kin = lookup.related_to(tx, chain_id, CONVERSATION) or [_alone(tx, chain_id)]
    itself = next(row for row in kin if row.id == chain_id)
    page = [row for row in kin if not itself.workflow or row.workflow == itself.workflow]
    newest = itself if alone else page[0]
    earlier = [row for row in page if row.id != newest.id and row.created_ms <= newest.created_ms]
    earlier.sort(key=lambda row: (-row.created_ms, row.id))
    names = [row.id for row in earlier[:_EARLIER]]
    shown = list(dict.fromkeys((chain_id, newest.id)))
    rows = chains.several(tx, dict.fromkeys((*shown, *names)))
    under_way = {name for name in shown if rows[name].state in OPEN}
    runs, now = tasks.of_chains(tx, shown, under_way), at or queue_position.read(tx)
    told = thread_rows.known(tx, rows[chain_id].account.get(CONVERSATION, ""))

    def seen(row: RelatedChain, others: Iterable[str]) -> ChainPage:
        chain, usual = rows[row.id], (REPOSITORY, row.verb)
        ids = (row.id, *others)
        money = bill.read(tx, ids, chain.account, chain.caps, usual=usual, now_ms=now_ms)
        before = [rows[name] for name in others if name in rows]
        head, base = (told.head, told.base) if told else ("", "")
        return ChainPage(chain, runs[row.id], money, now, head, base, before)

    page_of = seen(newest, names)
    own = page_of if newest.id == chain_id else seen(itself, ())
    return ChainPages(own, page_of, next(row.id for row in kin if row.head == itself.head))


def _alone(tx: Transaction, chain_id: str) -> RelatedChain:
    """A chain that belongs to no thread, as a script's. Raises UnknownChain."""
    chain = chains.get(tx, chain_id)
    return RelatedChain(chain.id, chain.created_ms, chain.plan.verb, "", "")
