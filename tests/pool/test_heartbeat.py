"""A worker whose event loop is blocked still lives: its work is not given to another one, to be paid for again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from claude_pool_gh.pool.model.ports import AgentChannel, AgentOutcome, AgentTask
from claude_pool_gh.pool.pool import Pool
from claude_pool_gh.pool.run import queues
from claude_pool_gh.pool.run.heartbeat import Heartbeat
from claude_pool_gh.pool.store.queue import beats
from claude_pool_gh.storage import Database
from tests.pool.puppet import Puppet, said

PAUSE = 0.02


@dataclass(slots=True)
class Quick(queues.SharedQueue):
    """The shared queue, beating fast, on a database that tells nobody anything."""

    look_seconds: float = PAUSE
    watch_seconds: float = PAUSE
    heard = queues.InProcessQueue.heard


@contextmanager
def beating(
    longest: float = 60.0, *, fails: bool = False
) -> Iterator[tuple[Heartbeat, list[float]]]:
    """One that is started, and what it did."""
    seen: list[float] = []

    def beat() -> None:
        seen.append(time.monotonic())
        if fails:
            raise OSError("the database is away")

    heartbeat = Heartbeat(beat, PAUSE, longest)
    heartbeat.start()
    try:
        yield heartbeat, seen
    finally:
        heartbeat.end()


def test_it_beats_only_for_a_loop_that_is_late_and_not_for_ever() -> None:
    with beating(longest=10 * PAUSE) as (heartbeat, seen):
        for _ in range(20):
            heartbeat.note()
            time.sleep(PAUSE / 4)
        assert seen == []
        time.sleep(20 * PAUSE)
        before = len(seen)
        time.sleep(5 * PAUSE)
    assert 1 <= before == len(seen)


def test_a_beat_that_fails_is_not_the_last_and_none_follows_the_end() -> None:
    with beating(fails=True) as (heartbeat, seen):
        time.sleep(10 * PAUSE)
        heartbeat.end()
        time.sleep(2 * PAUSE)
        before = len(seen)
        time.sleep(5 * PAUSE)
    assert 2 <= before == len(seen)


async def test_others_see_that_a_worker_lives_whose_agent_blocks_the_loop(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a client that does not know asyncio does, or a long computation."""
    monkeypatch.setattr(queues, "InProcessQueue", Quick)

    async def act(_task: AgentTask, _folder: object, _line: AgentChannel) -> AgentOutcome:
        (before,) = database.transact_here(beats).values()
        time.sleep(20 * PAUSE)
        (after,) = database.transact_here(beats).values()
        return said(f"{after - before}")

    async with Pool.open(Puppet(act), store=database) as pool:
        assert int((await pool.run("x")).output) >= 5
    assert database.transact_here(beats) == {}
