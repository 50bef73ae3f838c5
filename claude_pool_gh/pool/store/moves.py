"""The one writer of states: each move is looked up in its table and written as a compare-and-set.

So two writers can never both believe that they moved a record, and no state changes behind its
table's back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.pool.model.state_table import E, S, StateTable
from claude_pool_gh.pool.model.states import CHAIN, SLOT, STEP, TASK, note
from claude_pool_gh.pool.store import tables
from claude_pool_gh.storage import Transaction

ROWS: Final[Mapping[str, sa.Table]] = {
    CHAIN.name: tables.chains,
    STEP.name: tables.steps,
    TASK.name: tables.tasks,
    SLOT.name: tables.slots,
}


def move(tx: Transaction, states: StateTable[S, E], key: str, old: S, event: E, **also: Any) -> S:
    """Let an event happen to the record `key`, which is in `old`, and set its columns `also`.

    Returns the state it is in then. Raises IllegalTransition when the table does not list it, or the record is not in
    `old` any more.
    """
    return move_by(tx, moving(ROWS[states.name]), states, key, old, event, **also)


def move_by(
    tx: Transaction,
    by: sa.Update,
    states: StateTable[S, E],
    key: str,
    old: S,
    event: E,
    **also: Any,
) -> S:
    """As `move`, by a statement made of `moving`; `also`: its parameters."""
    new = states.after(old, event)
    table = ROWS[states.name]
    if not _moved(tx, by, key, old, new, also):
        raise IllegalTransition(f"{states.name} {key}, which is not {old},", old, event)
    note(table.name, key, old, new, also)
    return new


def moved(
    tx: Transaction, states: StateTable[S, E], key: str, old: S, event: E, **also: Any
) -> bool:
    """As `move`; False, and nothing has changed, where it is not in `old`. Nobody is told."""
    return _moved(tx, moving(ROWS[states.name]), key, old, states.after(old, event), also)


def move_all(
    tx: Transaction, states: StateTable[S, E], keys: Iterable[str], event: E, **also: Any
) -> None:
    """Let an event happen to these records, wherever it can, in one statement."""
    table = ROWS[states.name]
    own = sa.and_(table.c.id.in_(list(keys)), table.c.state.in_(states.before(event)))
    tx.execute(table.update().where(own).values(state=after(states, table.c.state, event), **also))


def after(
    states: StateTable[S, E], column: sa.ColumnElement[str], event: E
) -> sa.ColumnElement[str]:
    """The state after an event, by the state that a row is in."""
    new = [(column == state, states.after(state, event).value) for state in states.before(event)]
    return sa.case(*new, else_=column)


@cache
def moving(table: sa.Table) -> sa.Update:
    """The statement that moves a record of a table."""
    return table.update().where(
        table.c.id == sa.bindparam("of_key"), table.c.state == sa.bindparam("from_state")
    )


def _moved(
    tx: Transaction, by: sa.Update, key: str, old: str, new: str, also: Mapping[str, Any]
) -> bool:
    changed = tx.execute(by, {"of_key": key, "from_state": old, "state": new, **also})
    return bool(changed.rowcount == 1)
