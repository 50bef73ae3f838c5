"""The kinds of ids: a task's or a chain's. One of the wrong kind is refused at once, with the method that takes it."""

from __future__ import annotations

import sqlalchemy as sa

from claude_pool_gh.pool.model.errors import NotUnderReview, PartOfChain, UnknownChain, UnknownTask
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.store import tasks
from claude_pool_gh.pool.store.tables import chains
from claude_pool_gh.pool.store.tasks import TaskRow
from claude_pool_gh.storage import Transaction

_KIND = sa.select(chains.c.kind).where(chains.c.id == sa.bindparam("wanted"))


def chain_of_task(tx: Transaction, given: str, *, instead: str) -> str:
    """The chain that carries a task; a lone task is its own.

    Raises UnknownTask, for a chain's id too: then it names `instead`, the method for chains.
    """
    match _kind(tx, given):
        case "task":
            return given
        case None:
            return tasks.get(tx, given).chain_id
        case _:
            raise UnknownTask(f"{given} is a chain, not a task: use {instead}")


def lone_task(tx: Transaction, given: str) -> str:
    """The task, if it can be ended by itself. Raises UnknownTask, PartOfChain for one of a chain's."""
    chain_id = chain_of_task(tx, given, instead="cancel_chain")
    if chain_id != given:
        raise PartOfChain(
            f"{given} is one of the tasks of {chain_id}, which ends as a whole: use cancel_chain({chain_id!r})"
        )
    return given


def chain(tx: Transaction, given: str, *, instead: str) -> str:
    """The chain. Raises UnknownChain, for a task's id too: then it names `instead`, the method for tasks."""
    kind, task = _kind(tx, given), None
    if kind == "chain":
        return given
    if kind is None:
        task = _task(tx, given)
    if kind is None and task is None:
        raise UnknownChain(f"no chain has the id {given!r}")
    own = "" if task is None else f", or the id of its chain, {task.chain_id}"
    raise UnknownChain(f"{given} is a task, not a chain: use {instead}{own}")


def decided(tx: Transaction, given: str) -> str:
    """The chain about which a person decides with an id: a chain's, a lone task's, or that of a step's only task.

    Raises UnknownTask, PartOfChain, NotUnderReview where another step of the task's chain waits.
    """
    if _kind(tx, given) is not None:
        return given
    task = tasks.get(tx, given)
    if len(beside := tasks.of_chain(tx, task.chain_id, task.step)) > 1:
        raise PartOfChain(
            f"{given} is one of {len(beside)} tasks of the step {task.step}, which is decided as a whole: "
            f"give the id of its chain, {task.chain_id}"
        )
    if task.state is not TaskState.pending_review:
        raise NotUnderReview(f"{given} does not wait for approval; it is {task.state.value}")
    return task.chain_id


def _kind(tx: Transaction, given: str) -> str | None:
    return tx.execute(_KIND, {"wanted": given}).scalar_one_or_none()


def _task(tx: Transaction, given: str) -> TaskRow | None:
    try:
        return tasks.get(tx, given)
    except UnknownTask:
        return None
