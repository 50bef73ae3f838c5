"""Ids never collide, and one that comes from outside can neither name a file nor find anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_pool_gh.pool.config import PoolConfig, SlotConfig, SlotMode
from claude_pool_gh.pool.errors import NotFound, UnknownChain, UnknownSlot, UnknownTask
from claude_pool_gh.pool.ids import checked, new_id
from claude_pool_gh.pool.ports import Ending
from claude_pool_gh.pool.workflows import ChainStep
from tests.pool.puppet import OpenPool, Puppet

STRANGE = (
    "", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "a b", "-rf", "a\n", "a\x00", "é",
    "x" * 65, "a.json", "%2e%2e", "' OR 1=1 --", "task-%",
)  # fmt: skip


def test_ids_say_what_they_name_and_never_repeat() -> None:
    ids = [new_id("task") for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("task-") and checked(each) == each for each in ids)


def test_an_id_cannot_be_guessed_from_the_time_or_from_another_id() -> None:
    parts = [bytes.fromhex(new_id("task").removeprefix("task-")) for _ in range(200)]
    assert {len(part) for part in parts} == {10}
    assert all(len({part[place] for part in parts}) > 64 for place in range(10)), "every byte is random"


@pytest.mark.parametrize("given_id", STRANGE)
def test_an_id_that_could_leave_its_folder_is_no_id(given_id: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        checked(given_id)


@given(st.text(max_size=80))
def test_whatever_passes_for_an_id_names_a_file_in_its_folder(given_id: str) -> None:
    try:
        name = checked(given_id)
    except ValueError:
        return
    assert (Path("/folder") / name).resolve().parent == Path("/folder")
    assert not name.startswith((".", "-"))


async def test_a_strange_id_is_never_found_and_touches_nothing(open_pool: OpenPool, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    async with open_pool(Puppet()) as pool:
        kept = await pool.submit("a")
        await pool.wait(kept)
        asks: tuple[Callable[[str], Awaitable[object]], ...] = (
            pool.task, pool.result, pool.wait, pool.cancel, pool.approve, pool.go_on,
            lambda each: pool.reject(each, "no"),
            pool.chain_result, pool.chain_progress, pool.wait_chain, pool.cancel_chain,
        )  # fmt: skip
        for ask in asks:
            for given_id in ("../x", "/etc/passwd", "", "task-%", "' OR 1=1 --", "slot-0"):
                with pytest.raises(NotFound):
                    await ask(given_id)
        assert [task.id for task in await pool.tasks()] == [kept]
    assert (tmp_path / "x").read_text() == "mine"


async def test_every_kind_of_thing_has_its_own_error(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        with pytest.raises(UnknownTask, match="no task has the id 'task-1'"):
            await pool.result("task-1")
        with pytest.raises(UnknownChain, match="no chain has the id 'chain-1'"):
            await pool.chain_result("chain-1")
        with pytest.raises(UnknownSlot, match="no slot 'slot-7'"):
            await pool.restart_slot("slot-7")
        with pytest.raises(UnknownSlot, match=r"no slot '\.\./x'"):
            await pool.configure_slot("../x", SlotConfig())


async def test_a_conversation_at_a_strange_address_is_refused_before_any_agent_runs(
    open_pool: OpenPool,
) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        for address in ("../x", "../x/abc", "slot-0/../../etc/passwd", "slot-0/", "/abc", "slot-0"):
            with pytest.raises(ValueError, match="letters, digits"):
                await pool.submit("go on", resume=address)
        assert await pool.tasks() == []
        gone = await pool.run("go on", resume="slot-9/abc")
        assert (gone.success, gone.ending) == (False, Ending.failed)
        assert gone.reason == "slot-9 is gone, and the conversation that it kept with it"
        assert (await pool.run("something else")).success, "no slot broke of it"
    assert agent.prompts == ["something else"]


async def test_the_names_of_slots_tasks_and_chains_are_safe_as_file_names(open_pool: OpenPool) -> None:
    config = PoolConfig(slot_mode=SlotMode.ephemeral)
    async with open_pool(Puppet(), slots=2, config=config) as pool:
        ids = [await pool.submit("a"), await pool.submit_chain([ChainStep(name="one", prompt="b")])]
        await pool.wait(ids[0])
        await pool.wait_chain(ids[1])
        ids += [slot.id for slot in await pool.slots()]
    assert [checked(each) for each in ids] == ids
