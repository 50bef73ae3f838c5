"""A task goes on with an earlier one's conversation where it was asked to, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_pool_gh import Ending, Pool, PoolConfig, SlotMode, SlotState, TaskResult
from claude_pool_gh.pool.store import queue
from claude_pool_gh.rehearsal.model import Answer, Text, ToolUse, say
from tests.local.house import House, git, in_turn

SECRET = "The word is swordfish."


async def begin(runtime: House, pool: Pool) -> TaskResult:
    """The first task of a conversation."""
    return (await runtime.run_in(pool, in_turn(say("I shall keep that.")), prompt=SECRET)).result


async def test_a_conversation_goes_on(runtime: House) -> None:
    async with runtime.open() as pool:
        first = await begin(runtime, pool)
        second = await runtime.run_in(
            pool, in_turn(say("a"), say("b")), prompt="Which?", resume=first.session_id
        )
        unrelated = await runtime.run_in(pool, in_turn(say("c")), prompt="Which?")
    assert second.result.success, second.result.reason
    roles = [message["role"] for message in second.requests[0].body["messages"]]
    assert roles.count("assistant") == 1
    assert SECRET in second.requests[0].text
    assert "I shall keep that." in second.requests[0].text
    assert "Which?" in second.requests[0].last
    assert second.result.session_id == first.session_id
    assert unrelated.result.session_id not in (None, first.session_id)
    assert "swordfish" not in str(unrelated.requests[0].body)


@pytest.mark.long
async def test_it_goes_on_twice_and_after_a_restart(runtime: House) -> None:
    state = runtime.place / "state"
    async with runtime.open(state=state) as pool:
        first = await begin(runtime, pool)
        await runtime.run_in(
            pool, in_turn(say("a"), say("b")), prompt="Again", resume=first.session_id
        )
    async with runtime.open(state=state) as pool:
        third = await runtime.run_in(pool, prompt="And again", resume=first.session_id)
    assert third.result.success, third.result.reason
    assert [text in third.requests[0].text for text in (SECRET, "Again", "And again")] == [True] * 3


async def test_what_one_task_costs_is_not_counted_again(runtime: House) -> None:
    async with runtime.open() as pool:
        first = await begin(runtime, pool)
        second = await runtime.run_in(pool, prompt="Which?", resume=first.session_id)
    assert second.result.cost_microdollars == sum(row.settled for row in second.ledger)
    assert first.cost_microdollars + second.result.cost_microdollars == runtime.model.bill.total


@pytest.mark.long
async def test_it_goes_on_in_another_worktree(runtime: House) -> None:
    git(runtime.folder, "init", "--quiet")
    git(runtime.folder, "add", "a.txt")
    git(runtime.folder, "commit", "--quiet", "--message", "First")
    async with runtime.open(config=PoolConfig(worktree_isolation=True)) as pool:
        first = await begin(runtime, pool)
        second = await runtime.run_in(pool, prompt="Which?", resume=first.session_id)
    assert second.result.success, second.result.reason
    assert SECRET in second.requests[0].text


@pytest.mark.long
async def test_it_goes_on_in_a_folder_with_a_long_name(runtime: House) -> None:
    """The CLI cuts long names of folders, and so does whoever brings it a conversation."""
    deep = runtime.place / ("d" * 100) / ("e" * 100) / ("f" * 100) / "ümlaut"
    deep.mkdir(parents=True)
    async with Pool.open(runtime.agent(), folder=deep) as pool:
        first = await begin(runtime, pool)
        second = await runtime.run_in(pool, prompt="Which?", resume=first.session_id)
    assert second.result.success, second.result.reason
    assert SECRET in second.requests[0].text


async def test_an_ephemeral_slot_keeps_nothing(runtime: House) -> None:
    state = runtime.place / "state"
    async with runtime.open(state=state, config=PoolConfig(slot_mode=SlotMode.ephemeral)) as pool:
        (slot,) = await pool.slots()
        first = await begin(runtime, pool)
        assert (first.success, first.session_id) == (True, None)
        assert list(state.glob("slots/*/*")) == []
        asked = len(runtime.model.requests)
        with pytest.raises(ValueError, match="ephemeral: they keep no conversation"):
            await pool.submit("Go on", resume=f"{slot.id}/0d1f6a52-0000-4000-8000-000000000000")
    assert len(runtime.model.requests) == asked


async def test_a_conversation_is_found_by_its_own_id_whatever_slot_it_was_kept_on(
    runtime: House,
) -> None:
    async with runtime.open(slots=2) as pool:
        slot, _, session = str((await begin(runtime, pool)).session_id).partition("/")
        other = {"slot-0": "slot-1", "slot-1": "slot-0"}[slot]
        script = in_turn(say("a"), say("b"))
        second = await runtime.run_in(pool, script, prompt="Which?", resume=f"{other}/{session}")
        third = await runtime.run_in(pool, prompt="And again", resume=f"{slot}/{session}")
    assert SECRET in second.requests[0].text
    assert second.result.session_id == f"{other}/{session}"
    assert [text in third.requests[0].text for text in (SECRET, "Which?", "And again")] == [
        True
    ] * 3, "the newest"


@pytest.mark.long
async def test_a_conversation_goes_on_after_its_server_was_killed(runtime: House) -> None:
    """The dead worker's slots still have their names, so the new ones get others."""
    state = runtime.place / "state"
    async with runtime.open(state=state) as pool:
        first = await begin(runtime, pool)
        await pool.database.transact(
            lambda tx: tx.exec_driver_sql("UPDATE slots SET worker = 'elsewhere/1/1'")
        )
        await pool.database.transact(lambda tx: queue.beat(tx, "elsewhere/1/1", 0))
    async with runtime.open(state=state) as pool:
        assert "slot-1" in {slot.id for slot in await pool.slots()}
        second = await runtime.run_in(pool, prompt="Which?", resume=first.session_id)
    assert second.result.success, second.result.reason
    assert SECRET in second.requests[0].text
    assert str(first.session_id).startswith("slot-0/")
    assert str(second.result.session_id).startswith("slot-1/")


async def test_a_conversation_that_is_not_kept_breaks_nothing(runtime: House) -> None:
    async with runtime.open(slots=2) as pool:
        slot = str((await begin(runtime, pool)).session_id).partition("/")[0]
        run = await runtime.run_in(pool, resume=f"{slot}/0d1f6a52-0000-4000-8000-000000000000")
        assert {slot.state for slot in await pool.slots()} == {SlotState.idle}
    assert run.result.ending is Ending.failed
    assert "is not kept any more" in run.result.reason
    assert run.requests == []


async def test_an_agent_cannot_read_what_another_has_said(runtime: House) -> None:
    state = runtime.place / "state"
    async with runtime.open(state=state) as pool:
        first = await begin(runtime, pool)
        (kept,) = state.glob("slots/*/*.jsonl")
        assert SECRET in kept.read_text()
        assert kept.stem == (first.session_id or "").partition("/")[2]
        (runtime.folder / "link").symlink_to(kept)
        (runtime.folder / "slots").symlink_to(kept.parent)
        run = await runtime.run_in(
            pool, in_turn(curious(kept), say("nothing")), prompt="Look around"
        )
    assert run.result.success, run.result.reason
    assert run.requests[1].last.count("outside the worktree") == 5
    assert "swordfish" not in str(run.requests[1].body)


def curious(kept: Path) -> Answer:
    """Every way to a file that the tools for reading have."""
    calls = [
        ToolUse("Read", {"file_path": str(kept)}),
        ToolUse("Read", {"file_path": "link"}),
        ToolUse("Read", {"file_path": f"slots/{kept.name}"}),
        ToolUse("Grep", {"pattern": "word", "path": "slots", "output_mode": "content"}),
        ToolUse("Grep", {"pattern": "word", "path": str(kept.parent), "output_mode": "content"}),
        ToolUse("Grep", {"pattern": "word", "output_mode": "content"}),
    ]
    return Answer((Text("I look."), *calls))
