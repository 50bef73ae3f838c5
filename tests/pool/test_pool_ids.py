"""Ids never collide, and one that comes from outside can neither name a file nor find anything."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mypy import api as mypy_api

from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig, SlotMode
from claude_pool_gh.pool.model.errors import (
    NotFound,
    NotUnderReview,
    PartOfChain,
    UnknownChain,
    UnknownSlot,
    UnknownTask,
)
from claude_pool_gh.pool.model.ids import ChainId, TaskId, checked, new_id
from claude_pool_gh.pool.model.ports import Ending
from claude_pool_gh.pool.model.records import TaskFilter
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.recipes.workflows import ChainStep
from tests.pool.kit import GUARD, until
from tests.pool.puppet import Gate, OpenPool, Puppet

STRANGE = (
    "",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "-rf",
    "a\n",
    "a\x00",
    "é",
    "x" * 65,
    "a.json",
    "%2e%2e",
    "' OR 1=1 --",
    "task-%",
)


def test_ids_say_what_they_name_and_never_repeat() -> None:
    ids = [new_id("task") for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("task-") and checked(each) == each for each in ids)


def test_an_id_cannot_be_guessed_from_the_time_or_from_another_id() -> None:
    parts = [bytes.fromhex(new_id("task").removeprefix("task-")) for _ in range(200)]
    assert {len(part) for part in parts} == {10}
    assert all(len({part[place] for part in parts}) > 64 for place in range(10)), (
        "every byte is random"
    )


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


async def test_a_strange_id_is_never_found_and_touches_nothing(
    open_pool: OpenPool, tmp_path: Path
) -> None:
    (tmp_path / "x").write_text("mine")
    async with open_pool(Puppet()) as pool:
        kept = await pool.submit("a")
        await pool.wait(kept)
        asks: tuple[Callable[[Any], Awaitable[object]], ...] = (
            pool.task,
            pool.result,
            pool.wait,
            pool.cancel,
            pool.approve,
            pool.go_on,
            lambda each: pool.reject(each, "no"),
            pool.chain_result,
            pool.chain_progress,
            pool.wait_chain,
            pool.cancel_chain,
        )
        for ask in asks:
            for given_id in ("../x", "/etc/passwd", "", "task-%", "' OR 1=1 --", "slot-0"):
                with pytest.raises(NotFound):
                    await ask(given_id)
        assert [task.id for task in await pool.tasks()] == [kept]
    assert (tmp_path / "x").read_text() == "mine"


async def test_every_kind_of_thing_has_its_own_error(open_pool: OpenPool) -> None:
    async with open_pool(Puppet()) as pool:
        with pytest.raises(UnknownTask, match="no task has the id 'task-1'"):
            await pool.result(TaskId("task-1"))
        with pytest.raises(UnknownChain, match="no chain has the id 'chain-1'"):
            await pool.chain_result(ChainId("chain-1"))
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
            with pytest.raises(ValueError, match="resume"):
                await pool.submit("go on", resume=address)
        assert await pool.tasks() == []
        gone = await pool.run("go on", resume="slot-9/abc")
        assert (gone.success, gone.ending) == (False, Ending.failed)
        assert gone.reason == "slot-9 is gone, and the conversation that it kept with it"
        assert (await pool.run("something else")).success, "no slot broke of it"
    assert agent.prompts == ["something else"]


async def test_the_names_of_slots_tasks_and_chains_are_safe_as_file_names(
    open_pool: OpenPool,
) -> None:
    config = PoolConfig(slot_mode=SlotMode.ephemeral)
    async with open_pool(Puppet(), slots=2, config=config) as pool:
        task, chain = (
            await pool.submit("a"),
            await pool.submit_chain([ChainStep(name="one", prompt="b")]),
        )
        await pool.wait(task)
        await pool.wait_chain(chain)
        ids = [task, chain, *(slot.id for slot in await pool.slots())]
    assert [checked(each) for each in ids] == ids


async def test_an_id_of_the_wrong_kind_is_refused_at_once_with_the_method_that_takes_it(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    async with open_pool(agent, slots=3) as pool:
        lone = await pool.submit("lone")
        chain = await pool.submit_chain([ChainStep(name="one", prompt="1")])
        await until(lambda: agent.running == 2)
        (part,) = await pool.tasks(TaskFilter(chain_id=chain))
        as_task, as_chain = TaskId(chain), ChainId(lone)
        for ask, instead in (
            (pool.wait, "wait_chain"),
            (pool.result, "chain_result"),
            (pool.task, "chain_progress"),
            (pool.cancel, "cancel_chain"),
            (pool.transcript, "tasks"),
        ):
            with pytest.raises(UnknownTask, match=f"{chain} is a chain, not a task: use {instead}"):
                await asyncio.wait_for(ask(as_task), GUARD)
        for given_id, more in (
            (as_chain, ""),
            (ChainId(part.id), f", or the id of its chain, {chain}"),
        ):
            for refuse, instead in (
                (pool.wait_chain, "wait"),
                (pool.chain_result, "result"),
                (pool.chain_steps, "task"),
                (pool.cancel_chain, "cancel"),
            ):
                with pytest.raises(UnknownChain) as refusal:
                    await asyncio.wait_for(refuse(given_id), GUARD)
                assert (
                    str(refusal.value) == f"{given_id} is a task, not a chain: use {instead}{more}"
                )
        assert agent.running == 2, "the control: nothing ended of it"
        assert (await pool.chain_progress(lone)).status == "running"
        gate.opened.set()
        assert (await pool.wait(lone, timeout_secs=GUARD)).success
        assert (await pool.wait(part.id, timeout_secs=GUARD)).success, (
            "a chain's task can be waited for"
        )
        result = await pool.wait_chain(chain, timeout_secs=GUARD)
        assert result is not None
        assert result.success


async def test_a_branch_s_id_never_ends_its_chain_and_never_decides_for_its_siblings(
    open_pool: OpenPool,
) -> None:
    gate = Gate()
    agent = Puppet(gate)
    branches = (ChainStep(name="a", prompt="a"), ChainStep(name="b", prompt="b"))
    async with open_pool(agent, slots=2) as pool:
        chain = await pool.submit_chain([ChainStep(name="both", branches=branches, gate=True)])
        await until(lambda: agent.running == 2)
        one, other = await pool.tasks()
        with pytest.raises(
            PartOfChain,
            match=rf"{one.id} is one of the tasks of {chain}.*cancel_chain\('{chain}'\)",
        ):
            await pool.cancel(one.id)
        assert agent.running == 2
        gate.opened.set()
        assert await pool.wait_chain(chain, timeout_secs=GUARD) is None
        for decide in (pool.approve, lambda each: pool.reject(each, "no")):
            with pytest.raises(
                PartOfChain, match=f"one of 2 tasks of the step both.*its chain, {chain}"
            ):
                await decide(other.id)
        await pool.approve(chain)
        result = await pool.chain_result(chain)
        assert result is not None
        assert result.success


async def test_the_only_task_of_a_step_decides_for_it_and_for_no_other_step(
    open_pool: OpenPool,
) -> None:
    async with open_pool(Puppet()) as pool:
        chain = await pool.submit_chain(
            [ChainStep(name=name, prompt=name, gate=name == "two") for name in ("one", "two")]
        )
        assert await pool.wait_chain(chain, timeout_secs=GUARD) is None
        one, two = await pool.tasks()
        with pytest.raises(
            NotUnderReview, match=f"{one.id} does not wait for approval; it is completed"
        ):
            await pool.approve(one.id)
        await pool.approve(two.id)
        assert (await pool.task(two.id)).state is TaskState.completed


@pytest.mark.long
def test_the_kinds_of_ids_are_told_apart_before_anything_runs(tmp_path: Path) -> None:
    """As a user's own mypy sees it, in its strictest mode."""
    wrong = (
        "wait(c)",
        "result(c)",
        "cancel(c)",
        "wait_chain(t)",
        "chain_result(t)",
        "cancel_chain(t)",
    )
    right = (
        "wait(t)",
        "cancel(t)",
        "wait_chain(c)",
        "cancel_chain(c)",
        "approve(t)",
        "approve(c)",
        "chain_progress(c)",
    )
    program = "from claude_pool_gh import Pool\nasync def use(pool: Pool) -> None:\n"
    program += '    t = await pool.submit("a")\n    c = await pool.submit_chain([])\n'
    (tmp_path / "use.py").write_text(
        program + "".join(f"    await pool.{call}\n" for call in (*wrong, *right))
    )
    out, _, _ = mypy_api.run(
        ["--strict", "--no-error-summary", "--no-incremental", str(tmp_path / "use.py")]
    )
    lines = [int(line.split(":")[1]) for line in out.splitlines() if "error:" in line]
    assert lines == list(range(5, 5 + len(wrong))), out
