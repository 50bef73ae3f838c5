"""Lists of tasks and chains: each page in a fixed number of statements, all of them on one snapshot.

A page begins after the last id of the page before it. What is added meanwhile comes at the end, what is deleted is
missing: nothing is shown twice, nothing passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import UnknownChain, UnknownTask
from claude_pool_gh.pool.model.records import ChainProgress, TaskFilter, TaskRecord
from claude_pool_gh.pool.model.states import ChainState
from claude_pool_gh.pool.store import chains, costs, queries, task_records
from claude_pool_gh.pool.store.tables import chains as chain_rows
from claude_pool_gh.pool.store.tables import tasks as task_rows
from claude_pool_gh.storage import Transaction

T = TypeVar("T")
_AT_ONCE: Final = 5_000
"""Ids in one statement; the databases allow some 32,000."""

_C: Final = chain_rows.c
_T: Final = task_rows.c
_TASK_ORDER: Final = (task_records.MADE, _C.place, _T.shard, _T.id)
_EVERY_TASK: Final = sa.select(_T.id).join(chain_rows).order_by(*_TASK_ORDER)
_PLACE_OF_TASK: Final = (
    sa.select(*_TASK_ORDER).join_from(task_rows, chain_rows).where(_T.id == sa.bindparam("wanted"))
)
_CHAIN_ORDER: Final = (_C.created_ms, _C.place, _C.id)
_EVERY_CHAIN: Final = sa.select(_C.id).where(_C.kind == "chain").order_by(*_CHAIN_ORDER)


def tasks(
    tx: Transaction, wanted: TaskFilter, *, limit: int | None = None, after: str | None = None
) -> list[TaskRecord]:
    """The tasks that a filter lets through, oldest first. Raises UnknownTask where no task has the id `after`."""
    page = _EVERY_TASK.where(*_let_through(wanted)).limit(_checked(limit))
    if after is not None:
        place = tx.execute(_PLACE_OF_TASK, {"wanted": after}).one_or_none()
        if place is None:
            raise UnknownTask(f"no task has the id {after!r}, after which the page was to begin")
        page = page.where(_follows(_TASK_ORDER, place))
    return records(tx, [str(each) for each in tx.execute(page).scalars()])


def records(tx: Transaction, ids: Sequence[str]) -> list[TaskRecord]:
    """The tasks with these ids, in their order, however many they are. What is not there is left out."""
    return [record for some in _parts(ids) for record in task_records.records(tx, some)]


def progress(
    tx: Transaction, *, unfinished: bool = False, limit: int | None = None, after: str | None = None
) -> list[ChainProgress]:
    """Every chain that is not a lone task, oldest first. Raises UnknownChain where no chain has the id `after`."""
    page = _EVERY_CHAIN.limit(_checked(limit))
    if unfinished:
        page = page.where(_C.state != ChainState.done)
    if after is not None:
        place = tx.execute(sa.select(*_CHAIN_ORDER).where(_C.id == after)).one_or_none()
        if place is None:
            raise UnknownChain(f"no chain has the id {after!r}, after which the page was to begin")
        page = page.where(_follows(_CHAIN_ORDER, place))
    ids = [str(each) for each in tx.execute(page).scalars()]
    return [each for some in _parts(ids) for each in _progress(tx, some)]


def _progress(tx: Transaction, ids: Sequence[str]) -> list[ChainProgress]:
    found, spent = chains.several(tx, ids), costs.cost_of_chains(tx, ids)
    return [queries.progress_of(found[each], spent.get(each, (0, False))[0]) for each in ids]


def _let_through(wanted: TaskFilter) -> Iterator[sa.ColumnElement[bool]]:
    if wanted.state is not None:
        yield _T.state == wanted.state
    if wanted.chain_id is not None:
        yield _C.id == wanted.chain_id
    if wanted.slot_id is not None:
        yield _T.slot == wanted.slot_id
    if wanted.tags is not None:
        yield _C.id.in_(task_records.tagged(wanted.tags))


def _follows(
    order: Sequence[sa.ColumnElement[Any]], place: Sequence[Any]
) -> sa.ColumnElement[bool]:
    return sa.tuple_(*order) > sa.tuple_(*(sa.literal(each) for each in place))


def _checked(limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise ValueError(
            f"a page of {limit} shows nothing: `limit` is at least 1, or None for everything"
        )
    return limit


def _parts(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
