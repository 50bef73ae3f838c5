"""Every move between states, allowed or not."""

from __future__ import annotations

import itertools

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool import chains
from claude_pool_gh.pool.errors import IllegalTransition
from claude_pool_gh.pool.states import CHAIN_MOVES, TASK_MOVES, ChainState, TaskState, move
from claude_pool_gh.pool.tables import chains as table
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import NOW, account, caps, plan

CHAIN = {
    ("queued", "running"), ("queued", "done"), ("running", "done"), ("running", "parked"), ("running", "queued"),
    ("parked", "queued"), ("parked", "done"),
}  # fmt: skip
TASK = {
    ("pending", "running"), ("pending", "cancelled"), ("pending", "failed"), ("running", "completed"), ("running",
    "failed"),
    ("running", "cancelled"), ("running", "pending_review"), ("running", "pending"), ("pending_review", "completed"),
    ("pending_review", "pending"), ("pending_review", "failed"), ("pending_review", "cancelled"), ("failed",
    "pending"),
}  # fmt: skip


def test_the_table_of_chains_is_this_one() -> None:
    assert set(CHAIN_MOVES) == set(ChainState)
    assert {(old, new) for old, news in CHAIN_MOVES.items() for new in news} == CHAIN


def test_the_table_of_tasks_is_this_one() -> None:
    assert set(TASK_MOVES) == set(TaskState)
    assert {(old, new) for old, news in TASK_MOVES.items() for new in news} == TASK


def test_what_is_done_stays_done() -> None:
    assert CHAIN_MOVES["done"] == TASK_MOVES["completed"] == TASK_MOVES["cancelled"] == frozenset()


def state(tx: Transaction) -> str:
    return str(tx.execute(sa.select(table.c.state).where(table.c.id == "c")).scalar_one())


async def test_every_pair_moves_as_the_table_says_and_only_from_where_it_is(database: Database) -> None:
    await database.transact(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW))

    def attempt(tx: Transaction, actual: str, old: str, new: str) -> None:
        tx.execute(table.update().values(state=actual))
        allowed = (old, new) in CHAIN and actual == old
        if allowed:
            move(tx, table, CHAIN_MOVES, "c", old, new, ended_ms=5)
            assert state(tx) == new
        else:
            with pytest.raises(IllegalTransition):
                move(tx, table, CHAIN_MOVES, "c", old, new, ended_ms=5)
            assert state(tx) == actual

    def every(tx: Transaction) -> None:
        for actual, old, new in itertools.product(ChainState, repeat=3):
            attempt(tx, actual, old, new)

    await database.transact(every)


async def test_a_move_sets_its_columns_and_touches_no_other_record(database: Database) -> None:
    await database.transact(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW))
    await database.transact(lambda tx: chains.create(tx, "d", plan(), account(), caps(), NOW))
    await database.transact(lambda tx: move(tx, table, CHAIN_MOVES, "c", "queued", "running", started_ms=9))
    rows = await database.read(
        lambda tx: tx.execute(sa.select(table.c.id, table.c.state, table.c.started_ms)).all()
    )
    assert sorted(tuple(row) for row in rows) == [("c", "running", 9), ("d", "queued", None)]


async def test_a_record_that_is_not_there_cannot_move(database: Database) -> None:
    with pytest.raises(
        IllegalTransition, match="chains x, which is not queued, cannot go from queued to running"
    ):
        await database.transact(lambda tx: move(tx, table, CHAIN_MOVES, "x", "queued", "running"))
