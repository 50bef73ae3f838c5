"""Everything that is read to show a chain: itself, its money, the line, and its thread's other chains of the verb.

In a fixed number of statements: this happens in each transaction that changes a chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.conversation import line
from claude_pool_gh.conversation.line import Line
from claude_pool_gh.github.tables import threads
from claude_pool_gh.pool.store import bill, chains, tasks
from claude_pool_gh.pool.store.bill import Bill
from claude_pool_gh.pool.store.chains import ChainRow
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Transaction

_EARLIER: Final = 5
_C: Final = chain_rows.c
_ITSELF: Final = chain_rows.alias("itself")
_OWN: Final = _ITSELF.c.id == sa.bindparam("wanted")
_VERB: Final = _C.plan["verb"].as_string()
_KIN: Final = (
    sa.select(
        _C.id,
        _C.created_ms,
        _C.plan["context"]["head"].as_string().label("head"),
        _C.plan["context"]["workflow"].as_string().label("workflow"),
        _VERB.label("verb"),
        threads.c.head.label("thread_head"),
    )
    .select_from(chain_rows.outerjoin(threads, threads.c.key == _C.account_thread))
    .where(
        _C.account_thread == sa.select(_ITSELF.c.account_thread).where(_OWN).scalar_subquery(),
        sa.select(_ITSELF.c.plan["verb"].as_string()).where(_OWN).scalar_subquery() == _VERB,
    )
    .order_by(_C.created_ms.desc(), _C.id.desc())
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One chain with what its page says besides its own rows."""

    chain: ChainRow
    runs: Sequence[TaskRow]
    bill: Bill
    line: Line
    thread_head: str
    """The head that the pull request is known to have now; "" where nothing is known."""
    earlier: Sequence[ChainRow] = ()
    """The thread's earlier runs of the same verb, newest first."""


@dataclass(frozen=True, slots=True)
class Around:
    """A chain, and the one whose page stands in the thread: itself, or a later one of the same verb and workflow."""

    own: Seen
    newest: Seen
    newest_at_head: str
    """The thread's newest chain of the verb that is about the same commit."""


def read(
    tx: Transaction, chain_id: str, now_ms: int, *, alone: bool = False, at: Line | None = None
) -> Around:
    """Read it. `alone`: whatever came later. `at`: the line, where it is known. Raises UnknownChain."""
    kin = tx.execute(_KIN, {"wanted": chain_id}).all()
    itself = next((row for row in kin if row.id == chain_id), None)
    if itself is None:
        chains.get(tx, chain_id)  # says that there is none
        raise AssertionError(chain_id)
    page = [
        row for row in kin if itself.verb != "run" or not itself.workflow or row.workflow == itself.workflow
    ]
    newest = itself if alone else page[0]
    earlier = [row for row in page if row.id != newest.id and row.created_ms <= newest.created_ms]
    earlier.sort(key=lambda row: (-row.created_ms, row.id))
    names = [row.id for row in earlier[:_EARLIER]]
    shown = list(dict.fromkeys((chain_id, newest.id)))
    rows = chains.several(tx, dict.fromkeys((*shown, *names)))
    runs, now = tasks.of_chains(tx, shown), at or line.read(tx)

    def seen(row: Any, others: Iterable[str]) -> Seen:
        chain, verb = rows[row.id], rows[row.id].plan.verb
        money = bill.read(tx, (row.id, *others), chain.account, chain.caps, verb, now_ms)
        before = [rows[name] for name in others if name in rows]
        return Seen(chain, runs[row.id], money, now, itself.thread_head or "", before)

    page_of = seen(newest, names)
    own = page_of if newest.id == chain_id else seen(itself, ())
    return Around(own, page_of, next(row.id for row in kin if row.head == itself.head))
