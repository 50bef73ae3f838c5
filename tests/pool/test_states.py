"""Every move between states, allowed or not."""

from __future__ import annotations

import itertools
from enum import StrEnum

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.pool.model.states import (
    CHAIN_MOVES,
    SLOT_MOVES,
    STEP_MOVES,
    TASK_MOVES,
    ChainState,
    Moves,
    SlotState,
    StepState,
    TaskState,
    move,
)
from claude_pool_gh.pool.store import chains, slot_rows, tasks
from claude_pool_gh.pool.store.tables import chains as chains_table
from claude_pool_gh.pool.store.tables import slots as slots_table
from claude_pool_gh.pool.store.tables import steps as steps_table
from claude_pool_gh.pool.store.tables import tasks as tasks_table
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
    "pending"), ("completed", "pending"),
}  # fmt: skip
STEP = {
    ("pending", "running"), ("pending", "skipped"), ("pending", "cancelled"), ("running", "completed"),
    ("running", "failed"), ("running", "cancelled"), ("running", "pending_review"), ("pending_review", "completed"),
    ("pending_review", "pending"), ("pending_review", "failed"), ("pending_review", "cancelled"),
    ("completed", "pending"), ("skipped", "pending"),
}  # fmt: skip
SLOT = {
    ("idle", "busy"), ("idle", "errored"), ("idle", "stopped"), ("busy", "idle"), ("busy", "errored"),
    ("busy", "stopped"), ("errored", "idle"), ("errored", "stopped"),
}  # fmt: skip


def pairs(moves: Moves) -> set[tuple[str, str]]:
    return {(old, new) for old, news in moves.items() for new in news}


def test_the_table_of_chains_is_this_one() -> None:
    assert set(CHAIN_MOVES) == set(ChainState)
    assert pairs(CHAIN_MOVES) == CHAIN


def test_the_table_of_tasks_is_this_one() -> None:
    assert set(TASK_MOVES) == set(TaskState)
    assert pairs(TASK_MOVES) == TASK


def test_the_table_of_steps_is_this_one() -> None:
    assert set(STEP_MOVES) == set(StepState)
    assert pairs(STEP_MOVES) == STEP


def test_the_table_of_slots_is_this_one() -> None:
    assert set(SLOT_MOVES) == set(SlotState)
    assert pairs(SLOT_MOVES) == SLOT


def test_what_is_done_stays_done() -> None:
    assert CHAIN_MOVES["done"] == TASK_MOVES["cancelled"] == frozenset()
    ended = (StepState.failed, StepState.cancelled)
    assert {STEP_MOVES[state] for state in ended} == {SLOT_MOVES["stopped"]} == {frozenset()}


def test_only_a_rejection_that_goes_further_back_reopens_what_was_completed() -> None:
    assert TASK_MOVES["completed"] == STEP_MOVES["completed"] == STEP_MOVES["skipped"] == {"pending"}


def state(tx: Transaction, table: sa.Table, key: str) -> str:
    return str(tx.execute(sa.select(table.c.state).where(table.c.id == key)).scalar_one())


@pytest.mark.parametrize(
    ("table", "key", "moves", "legal", "states"),
    [
        (chains_table, "c", CHAIN_MOVES, CHAIN, ChainState),
        (steps_table, "c.find", STEP_MOVES, STEP, StepState),
        (tasks_table, "c.find.0", TASK_MOVES, TASK, TaskState),
        (slots_table, "slot-0", SLOT_MOVES, SLOT, SlotState),
    ],
    ids=["chain", "step", "task", "slot"],
)
async def test_every_pair_moves_as_the_table_says_and_only_from_where_it_is(
    database: Database,
    table: sa.Table,
    key: str,
    moves: Moves,
    legal: set[tuple[str, str]],
    states: type[StrEnum],
) -> None:
    def make(tx: Transaction) -> None:
        chains.create(tx, "c", plan(), account(), caps(), NOW)
        tasks.add(tx, "c.find.0", "c", "find", 0, "t", NOW)
        slot_rows.register(tx, "w", [SlotConfig()])

    def attempt(tx: Transaction, actual: str, old: str, new: str) -> None:
        tx.execute(table.update().values(state=actual))
        allowed = (old, new) in legal and actual == old
        if allowed:
            move(tx, table, moves, key, old, new)
            assert state(tx, table, key) == new
        else:
            with pytest.raises(IllegalTransition):
                move(tx, table, moves, key, old, new)
            assert state(tx, table, key) == actual

    def every(tx: Transaction) -> None:
        for actual, old, new in itertools.product(states, repeat=3):
            attempt(tx, actual, old, new)

    await database.transact(make)
    await database.transact(every)


async def test_a_move_sets_its_columns_and_touches_no_other_record(database: Database) -> None:
    await database.transact(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW))
    await database.transact(lambda tx: chains.create(tx, "d", plan(), account(), caps(), NOW))
    await database.transact(
        lambda tx: move(tx, chains_table, CHAIN_MOVES, "c", "queued", "running", started_ms=9)
    )
    rows = await database.read(
        lambda tx: tx.execute(
            sa.select(chains_table.c.id, chains_table.c.state, chains_table.c.started_ms)
        ).all()
    )
    assert sorted(tuple(row) for row in rows) == [("c", "running", 9), ("d", "queued", None)]


async def test_a_record_that_is_not_there_cannot_move(database: Database) -> None:
    with pytest.raises(
        IllegalTransition, match="chains x, which is not queued, cannot go from queued to running"
    ):
        await database.transact(lambda tx: move(tx, chains_table, CHAIN_MOVES, "x", "queued", "running"))
