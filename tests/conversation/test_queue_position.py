"""A chain's place in the line before the slots, and whose places a change moves."""

from __future__ import annotations

import pytest

from claude_pool_gh.conversation.tracking.queue_position import SlotQueue, moves, place
from claude_pool_gh.pool.model.states import ChainState, TaskState
from claude_pool_gh.reports.views import Place
from tests.conversation.rows import chain, task

FULL = SlotQueue(busy=2, count=2, waiting=("x", "c", "y"))


@pytest.mark.parametrize(
    ("queue", "state", "found"),
    [
        (FULL, ChainState.queued, Place(2, 2, 2)),
        (FULL, ChainState.running, Place(2, 2, 2)),
        (FULL, ChainState.parked, None),
        (FULL, ChainState.done, None),
        (SlotQueue(3, 2, ("c",)), ChainState.queued, Place(1, 3, 2)),
        (SlotQueue(1, 2, ("c",)), ChainState.queued, None),
        (SlotQueue(2, 2, ("x", "y")), ChainState.queued, None),
        (SlotQueue(0, 0, ("c",)), ChainState.queued, Place(1, 0, 0)),
    ],
    ids=[
        "before it has begun",
        "between its steps",
        "it waits for a person",
        "it is over",
        "more are busy than there are",
        "a slot is free",
        "it waits for no slot",
        "no worker is there",
    ],
)
def test_only_a_chain_that_waits_for_a_busy_slot_has_a_place(
    queue: SlotQueue, state: ChainState, found: Place | None
) -> None:
    assert place(queue, chain(state=state)) == found


@pytest.mark.parametrize(
    ("state", "running", "moved"),
    [
        (ChainState.running, 1, True),
        (ChainState.running, 0, False),
        (ChainState.running, 2, False),
        (ChainState.queued, 0, False),
        (ChainState.parked, 0, True),
        (ChainState.done, 0, True),
    ],
    ids=[
        "it took its first slot",
        "it waits",
        "it took another one",
        "it is new",
        "it parked",
        "it ended",
    ],
)
def test_the_others_move_up_when_a_chain_takes_a_slot_or_comes_to_rest(
    state: ChainState, running: int, moved: bool
) -> None:
    runs = [task(shard=at, state=TaskState.running) for at in range(running)]
    assert moves(chain(state=state), [*runs, task(shard=9)]) is moved
