"""Every move between states, allowed or not."""

from __future__ import annotations

import itertools
from enum import StrEnum

import pytest
import sqlalchemy as sa

from claude_pool_gh.pool.model.config import SlotConfig
from claude_pool_gh.pool.model.errors import IllegalTransition
from claude_pool_gh.pool.model.state_table import StateTable
from claude_pool_gh.pool.model.states import CHAIN, SLOT, STEP, TASK, ChainEvent, ChainState
from claude_pool_gh.pool.store import chains, slot_rows, tasks
from claude_pool_gh.pool.store.moves import ROWS, move, move_all
from claude_pool_gh.pool.store.tables import chains as chains_table
from claude_pool_gh.storage import Database, Transaction
from tests.pool.make import NOW, account, caps, plan

Table = StateTable[StrEnum, StrEnum]
KEYS = {CHAIN.name: "c", STEP.name: "c.find", TASK.name: "c.find.0", SLOT.name: "slot-0"}


def test_what_is_done_stays_done() -> None:
    assert CHAIN.final == {"done"}
    assert TASK.final == {"cancelled"}
    assert STEP.final == {"failed", "cancelled"}
    assert SLOT.final == {"stopped"}


def test_only_a_rejection_reopens_what_was_completed() -> None:
    for table in (STEP, TASK):
        assert [event for state, event in table.moves if state == "completed"] == ["reject"]


def state(tx: Transaction, table: sa.Table, key: str) -> str:
    return str(tx.execute(sa.select(table.c.state).where(table.c.id == key)).scalar_one())


@pytest.mark.parametrize("states", [CHAIN, STEP, TASK, SLOT], ids=lambda table: table.name)
async def test_every_event_moves_as_the_table_says_and_only_from_where_the_record_is(
    database: Database, states: Table
) -> None:
    table, key = ROWS[states.name], KEYS[states.name]
    events = sorted({event for _, event in states.moves})

    def make(tx: Transaction) -> None:
        chains.create(tx, "c", plan(), account(), caps(), NOW)
        tasks.add(tx, "c.find.0", "c", "find", 0, "t", NOW)
        slot_rows.register(tx, "w", [SlotConfig()])

    def attempt(tx: Transaction, actual: StrEnum, old: StrEnum, event: StrEnum) -> None:
        tx.execute(table.update().values(state=actual))
        new = states.moves.get((old, event))
        if new is not None and actual == old:
            assert move(tx, states, key, old, event) == new
            assert state(tx, table, key) == new
        else:
            with pytest.raises(IllegalTransition):
                move(tx, states, key, old, event)
            assert state(tx, table, key) == actual

    def every(tx: Transaction) -> None:
        for actual, old in itertools.product(states.states, repeat=2):
            for event in events:
                attempt(tx, actual, old, event)

    await database.transact(make)
    await database.transact(every)


@pytest.mark.parametrize("states", [CHAIN, STEP, TASK, SLOT], ids=lambda table: table.name)
async def test_an_event_happens_to_several_records_wherever_it_can(
    database: Database, states: Table
) -> None:
    table, key = ROWS[states.name], KEYS[states.name]

    def every(tx: Transaction) -> None:
        chains.create(tx, "c", plan(), account(), caps(), NOW)
        tasks.add(tx, "c.find.0", "c", "find", 0, "t", NOW)
        slot_rows.register(tx, "w", [SlotConfig()])
        for old in states.states:
            for event in {event for _, event in states.moves}:
                tx.execute(table.update().values(state=old))
                move_all(tx, states, [key], event)
                assert state(tx, table, key) == states.moves.get((old, event), old)

    await database.transact(every)


async def test_a_move_sets_its_columns_and_touches_no_other_record(database: Database) -> None:
    await database.transact(lambda tx: chains.create(tx, "c", plan(), account(), caps(), NOW))
    await database.transact(lambda tx: chains.create(tx, "d", plan(), account(), caps(), NOW))
    await database.transact(
        lambda tx: move(tx, CHAIN, "c", ChainState.queued, ChainEvent.begin, started_ms=9)
    )
    rows = await database.read(
        lambda tx: tx.execute(
            sa.select(chains_table.c.id, chains_table.c.state, chains_table.c.started_ms)
        ).all()
    )
    assert sorted(tuple(row) for row in rows) == [("c", "running", 9), ("d", "queued", None)]


async def test_a_record_that_is_not_there_cannot_move(database: Database) -> None:
    with pytest.raises(
        IllegalTransition, match="chain x, which is not queued, cannot begin from queued"
    ):
        await database.transact(
            lambda tx: move(tx, CHAIN, "x", ChainState.queued, ChainEvent.begin)
        )
