"""No text that an agent says can break the store, and one that a caller passes in and cannot be stored is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from claude_pool_gh.pool.model.config import TaskOverrides
from claude_pool_gh.pool.model.outcomes import Outcome, Verdict
from claude_pool_gh.pool.model.records import TaskFilter
from claude_pool_gh.pool.model.states import TaskState
from claude_pool_gh.pool.model.texts import cleaned, fault, storable
from claude_pool_gh.pool.run.chain_factory import ChainOptions
from claude_pool_gh.pool.store import chains, tasks
from claude_pool_gh.storage import Database
from tests.pool.kit import GUARD, QUICK, run_chain, script, step
from tests.pool.make import account, caps, plan
from tests.pool.puppet import OpenPool, Puppet, failed, said

ACCOUNT = account("1:1", "7", "1")
CAPS = caps(task=1, chain=10, thread=10**9, user_day=10**9, repository_month=10**9, pool=10**9)
WRONG = ("a\x00b", "caf\udce9.txt")


def test_a_value_is_cleaned_however_deep_its_texts_are() -> None:
    told = {"a\x00": ["\ud800", ({"b": "c\udfff"}, 1, None)], "fine": "\N{GRINNING FACE} \\u0000"}
    mended = storable(told)
    assert mended == {
        "a\N{REPLACEMENT CHARACTER}": [
            "\N{REPLACEMENT CHARACTER}",
            [{"b": "c\N{REPLACEMENT CHARACTER}"}, 1, None],
        ],
        "fine": "\N{GRINNING FACE} \\u0000",
    }
    assert fault(mended) is None
    assert "a NUL character at position 1" in str(fault(told))
    assert Outcome(verdict=Verdict.failed, reason="why\x00").reason == cleaned("why\x00")


@pytest.mark.parametrize("wrong", WRONG)
async def test_whatever_an_agent_says_its_result_is_stored_and_everything_can_be_read(
    open_pool: OpenPool, wrong: str
) -> None:
    told: dict[str, Any] = {
        "text": wrong,
        "stderr": wrong,
        "transcript": ({"what": "said", "text": wrong},),
        "structured": {wrong: [wrong]},
        "model": f"m{wrong}",
        "looked_at": {wrong: wrong},
        "command": wrong,
    }

    async def act(task: Any, *_more: Any) -> Any:
        if task.prompt == "bad":
            return failed(f"the CLI ended without a result: {wrong}", **told)
        return said(**told, session_id="s1")

    async with open_pool(Puppet(act), config=QUICK) as pool:
        for prompt, success in (("bad", False), ("good", True)):
            result = await asyncio.wait_for(pool.run(prompt), GUARD)
            assert result.success is success
            assert result.structured == {cleaned(wrong): [cleaned(wrong)]}
        (bad,) = await pool.tasks(TaskFilter(state=TaskState.failed))
        assert bad.result is not None
        assert bad.result.reason == f"the CLI ended without a result: {cleaned(wrong)}"
        assert await pool.transcript(bad.id) == [{"what": "said", "text": cleaned(wrong)}]
        await pool.status()
        await pool.metrics()
        # Its slot is not here: whether it is of an earlier process is asked of every row.
        resumed = await asyncio.wait_for(pool.run("good", resume="slot-77/s1"), GUARD)
        assert resumed.success


async def test_a_conversation_is_found_by_its_id_and_by_nothing_else(open_pool: OpenPool) -> None:
    agent = Puppet()
    async with open_pool(agent) as pool:
        agent.act = lambda *_: asyncio.sleep(0, said("text", session_id="s1"))
        await pool.run("one")
        agent.act = lambda *_: asyncio.sleep(0, said("text"))
        await pool.run("another, which leaves none")
        for session, there in (("s1", True), ("s", False), ("s2", False), ("text", False)):
            assert await pool.database.read(lambda tx, s=session: tasks.has_session(tx, s)) is there  # type: ignore[misc]


async def test_a_later_step_is_asked_with_what_can_be_stored_of_an_earlier_one(
    open_pool: OpenPool,
) -> None:
    agent = Puppet(script({"one": said("x\x00y", structured={"parts": ["p\udce9"]})}))
    chain = [
        step("one", "go", output_vars={"parts": "parts"}),
        step("two", "do {item}", each="one.parts", title="do {item}"),
    ]
    async with open_pool(agent, config=QUICK) as pool:
        result = await run_chain(pool, chain)
        assert result.success, result
        assert [task.prompt for task in await pool.tasks()] == agent.prompts
    assert agent.prompts[1:] == [cleaned("do p\udce9")]


@pytest.mark.parametrize("wrong", WRONG)
def test_titles_and_prompts_are_cleaned_whatever_they_were_made_of(
    database: Database, wrong: str
) -> None:
    with database.engine.begin() as tx:
        chains.create(tx, "c", plan(), ACCOUNT, CAPS, 1)
        assert tasks.add(tx, "c.one", "c", "one", 0, wrong, 1)
        begun = tasks.begin(
            tx, tasks.get(tx, "c.one"), "slot-0", "m", 2, prompt=f"{wrong} {wrong}", asked=wrong
        )
        stored = tasks.get(tx, "c.one")
    assert (stored.title, stored.prompt, stored.asked) == (
        cleaned(wrong),
        cleaned(f"{wrong} {wrong}"),
        cleaned(wrong),
    )
    assert (begun.prompt, begun.asked) == (stored.prompt, stored.asked)


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_text_of_a_caller_that_cannot_be_stored_is_refused_in_words(
    open_pool: OpenPool, wrong: str
) -> None:
    async with open_pool(Puppet(), config=QUICK) as pool:
        task_id = await pool.submit("fine", review=True)
        await pool.wait(task_id, timeout_secs=GUARD)
        for refused in (
            pool.run(wrong),
            pool.submit(wrong),
            pool.fan_out(["fine", wrong]),
            pool.submit("x", tags=[wrong]),
            pool.submit("x", config=TaskOverrides(system_prompt=wrong)),
            pool.submit("x", role=wrong),
            pool.submit_chain([step("a", wrong)]),
            pool.submit_chain([step("a", "x")], args={"n": [wrong]}),
            pool.submit_chain([step("a", "x")], options=ChainOptions(tags=(wrong,))),
            pool.set_context("key", wrong),
            pool.reject(task_id, wrong),
        ):
            with pytest.raises(
                ValueError,
                match=r"has (a NUL character|half of a surrogate pair).*cannot be stored",
            ):
                await refused
        assert [task.id for task in await pool.tasks()] == [task_id]
